"""How a network learned: what the same codes gave at each moment that its checkpoint ships, over the losses."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gradio as gr

from imagegen.evaluation.curves import thinned
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.ui.language import T
from imagegen.ui.widgets import data_url, widget
from imagegen.ui.wiring import live

__all__ = ["Lapse", "lapse_of", "moment", "time_lapse"]

HISTORY, MOMENTS = "assets/history.json", "assets/moments"
POINTS = 120
"""Of each curve; what was logged more often is averaged."""


@dataclass(frozen=True)
class Lapse:
    """The training of one checkpoint.

    Args:
        files: a sheet of pictures a moment, by their names in the checkpoint.
        steps, minutes: of training before each.
        curves: loss -> [(step, value)].
    """

    files: tuple[str, ...]
    steps: tuple[int, ...]
    minutes: tuple[float, ...]
    curves: dict[str, list[tuple[float, float]]]


@lru_cache(maxsize=32)
def lapse_of(store: ModelStore, name: str) -> Lapse:
    """
    Raises:
        CheckpointError: `name` is missing, or its history is damaged.
    """
    checkpoint = store.checkpoint(name)
    files = tuple(checkpoint.files(MOMENTS))
    history = json.loads(checkpoint.read(HISTORY)) if files else []
    if not history:
        return Lapse((), (), (), {})
    steps = tuple(int(file.rpartition("/")[2].partition(".")[0]) for file in files)
    return Lapse(files, steps, tuple(_minutes(history, step) for step in steps), _curves(history))


def moment(store: ModelStore, name: str, at: int) -> dict[str, Any]:
    """The sheet of moment `at`, and when that was."""
    lapse = lapse_of(store, name)
    file = lapse.files[at]
    picture = data_url(store.checkpoint(name).read(file), file.rpartition(".")[2])
    return {"at": at, "picture": picture, "step": lapse.steps[at], "minutes": lapse.minutes[at]}


def time_lapse(store: ModelStore, names: Sequence[str], key: str) -> None:
    """Add the choice of a training and its time-lapse where the page stands; nothing is read before it is seen.

    Args:
        names: checkpoints; those that are not there are left out.
        key: what the ids begin with.
    """
    there = [name for name in names if name in store.names()]
    run = gr.Radio(
        [(T(f"run.{name}"), name) for name in there], value=there[0], label=T("lapse.run"), elem_id=f"{key}-training",
        visible=len(there) > 1,
    )  # fmt: skip
    lapse = widget("lapse", elem_id=f"{key}-lapse")

    def show_training(run: str) -> dict[str, Any]:
        name = checks.choice("model", run, there)
        training = lapse_of(store, name)
        if not training.files:
            return {"run": name, "steps": []}
        last = len(training.files) - 1
        return {"run": name, "steps": training.steps, "curves": training.curves, **moment(store, name, last)}

    def show_moment(run: str, asked: object) -> dict[str, Any]:
        name = checks.choice("model", run, there)
        at = asked.get("at") if isinstance(asked, dict) else None
        last = len(lapse_of(store, name).files) - 1
        return {"run": name, **moment(store, name, checks.whole("moment", at, 0, last))}

    live([lapse.focus, run.input], show_training, {"run": run}, [lapse])
    live([lapse.input], show_moment, {"run": run, "asked": lapse}, [lapse])


def _minutes(history: Sequence[dict[str, float]], step: int) -> float:
    """Minutes of training before `step`, between the two lines of the history around it."""
    known = [(0.0, 0.0), *((line["step"], line["seconds"]) for line in history)]
    after = min(max(1, bisect_right(known, (step, float("inf")))), len(known) - 1)
    (s0, t0), (s1, t1) = known[after - 1 : after + 1]
    return round((t0 + (t1 - t0) * (step - s0) / ((s1 - s0) or 1)) / 60, 2)


def _curves(history: Sequence[dict[str, float]]) -> dict[str, list[tuple[float, float]]]:
    """Each loss by step, named as it was logged."""
    lines = thinned(history, POINTS)
    keys = [key for key in history[0] if key not in ("step", "seconds")]
    return {key: [(line["step"], float(f"{line[key]:.4g}")) for line in lines] for key in keys}
