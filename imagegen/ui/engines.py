"""The choice between the checkpoint and other engines, and what of a tab belongs to the one that is chosen."""

from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr

from imagegen.engines.engine import Engine
from imagegen.models.diffusion import SOLVERS
from imagegen.tasks import checks
from imagegen.tasks.text_to_image import CHECKPOINT
from imagegen.ui.language import T

__all__ = ["OTHERS", "adapted", "chosen_engine", "engine_choice"]

OTHERS = "others"
"""What belongs to every engine but the checkpoint."""


def engine_choice(engines: Iterable[str], prefix: str) -> gr.Dropdown:
    """Not to be seen where there is only the checkpoint."""
    names = [CHECKPOINT, *engines]
    return gr.Dropdown(
        names, value=CHECKPOINT, label=T("words.engine"), info=T("words.engine.info"), elem_id=f"{prefix}-engine",
        visible=len(names) > 1,
    )  # fmt: skip


def chosen_engine(name: object, engines: Mapping[str, Engine]) -> Engine | None:
    """One of `engines`, or None for the checkpoint.

    Raises:
        InputError: there is none of that name; Gradio's own check lets an empty list pass.
    """
    return engines.get(checks.choice("engine", name, (CHECKPOINT, *engines)))


def adapted(
    chosen: Engine | None,
    parts: Mapping[str, tuple[Any, str]],
    changes: Mapping[str, Mapping[str, Any]],
) -> list[Any]:
    """Show of `parts`, components with what they need, those that an engine needs, or None, the checkpoint.

    A part needs a field of the request that is heeded, `CHECKPOINT`, or `OTHERS`.

    Args:
        changes: what else becomes of a part, by its name.
    """
    own = {needed for _, needed in parts.values()} - {OTHERS, "size"}
    heeds = {"count", "prompt", OTHERS, *chosen.heeds} if chosen else own
    solvers = list(chosen.solvers if chosen and chosen.solvers else SOLVERS)
    guiding = T("words.guidance.info.other" if chosen else "words.guidance.info")
    changes = {"solver": {"choices": solvers}, "guidance": {"info": guiding}, **changes}
    return [gr.update(visible=needed in heeds, **changes.get(name, {})) for name, (_, needed) in parts.items()]
