"""What the tasks share that other engines of the app do too: which one is named, and what it is asked for."""

from collections.abc import Mapping
from typing import Any

from imagegen.devices import SEEDS
from imagegen.engines.engine import AUTO, Asked, Engine
from imagegen.errors import InputError
from imagegen.tasks import checks

__all__ = ["asked", "engine_named"]


def engine_named(request: Any, checkpoint: str, engines: Mapping[str, Engine]) -> Engine | None:
    """One of `engines`, or None for the checkpoint.

    Raises:
        InputError: there is none of that name, or it paints not as many pictures.
    """
    names = (checkpoint, *engines)
    if request.engine not in names:
        raise InputError("{name} must be one of {options}.", name="engine", options=", ".join(names))
    engine = engines.get(request.engine)
    if engine:
        checks.whole("count", request.count, 1, engine.max_count)
    return engine


def asked(request: Any, size: str = AUTO) -> Asked:
    """What an engine is to paint."""
    return Asked(
        request.prompt,
        request.negative_prompt,
        tuple((request.seed + i) % SEEDS for i in range(request.count)),
        request.solver,
        request.steps,
        request.guidance_scale,
        size,
    )
