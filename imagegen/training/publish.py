"""From a finished run to checkpoints that can be shipped."""

import json
from pathlib import Path

import torch

from imagegen.cards import Card
from imagegen.checkpoints import Checkpoint, write_checkpoint
from imagegen.data.pictures import Sources
from imagegen.evaluation.curves import thinned
from imagegen.images import to_pictures
from imagegen.recipes import to_png
from imagegen.store import ModelStore
from imagegen.tasks.registry import TASKS, Task, recipe_of
from imagegen.training.recipe import Export
from imagegen.training.recipes import build
from imagegen.training.run import Run

__all__ = ["publish"]

HISTORY_LINES = 500
"""That ship; a fast training logs twenty times as many."""


def publish(folder: Path, checkpoints: Path, sources: Sources) -> list[Checkpoint]:
    """Write the checkpoints of the run in `folder`, each with card, sums, golden tensors and picture.

    Args:
        sources: what it was trained on; some assets are statistics of it.

    Raises:
        TrainingError: there is no run in `folder`.
    """
    run = Run(folder)
    facts = run.facts()
    recipe = build(facts["name"], facts["size"], facts["seed"])
    run.restore(recipe.networks, recipe.optimizers)
    for network in recipe.networks.values():
        network.half().float().eval()  # assets must belong to the weights as they are shipped
    written = [_write(checkpoints, run, export) for export in recipe.exports(sources)]
    _add_time_lapse(written[0], run)
    store = ModelStore(checkpoints, torch.device("cpu"))
    for task in TASKS.values():
        if task.checkpoint in {checkpoint.name for checkpoint in written} and not task.pictures:
            _add_golden_picture(store, task)
    return written


def _write(checkpoints: Path, run: Run, export: Export) -> Checkpoint:
    facts = run.facts()
    kept = (
        "command",
        "commit",
        "seed",
        "size",
        "steps",
        "batch",
        "precision",
        "processes",
        "hardware",
        "torch",
    )
    training = {key: facts[key] for key in kept}
    if facts["step"] < facts["steps"]:
        training["steps"] = f"{facts['step']} of {facts['steps']} planned"
    training["minutes"] = round(facts["seconds"] / 60, 1)
    training["pictures a second"] = round(facts["step"] * facts["batch"] / facts["seconds"], 1)
    training |= export.details
    checkpoint = write_checkpoint(
        checkpoints / export.name,
        export.model,
        {"class": export.class_name, "args": dict(export.args)},
        Card(export.summary, export.licence, export.data, training),
        export.example,
        export.assets,
    )
    for name, text in export.texts.items():
        checkpoint.add(f"assets/{name}", text.encode())
    return checkpoint


def _add_time_lapse(checkpoint: Checkpoint, run: Run) -> None:
    """The losses, and what the same codes gave at some thirty moments of the training."""
    checkpoint.add("assets/history.json", json.dumps(thinned(run.read_history(), HISTORY_LINES)).encode())
    for picture in sorted(run.moments.iterdir()):
        checkpoint.add(f"assets/moments/{picture.name}", picture.read_bytes())


def _add_golden_picture(store: ModelStore, task: Task) -> None:
    """One picture of the task's default request, with the recipe that any machine must be able to repeat."""
    checkpoint = store.checkpoint(task.checkpoint)
    request = task.request()
    *_, last = task.run(request, store)
    picture = to_pictures(last.images[:1])[0]
    checkpoint.add(f"golden/{task.name}.png", to_png(picture, recipe_of(task, request, store)))
