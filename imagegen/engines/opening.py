"""The engines that were named at start; nothing else opens a connection, and none does without a name."""

from collections.abc import Callable, Sequence

import torch

from imagegen.engines.engine import Engine
from imagegen.errors import EngineError

__all__ = ["open_engines"]

OPENAI = "openai"


def open_engines(
    given: Sequence[str], device: torch.device, taken: str, say: Callable[[str], None]
) -> dict[str, Engine]:
    """By name, what `--text-to-image` asks for: `DIR_OR_ID[@REVISION]`, `openai` or `openai:MODEL`.

    What has to be downloaded is downloaded now, where a wrong name is told to whoever typed it, and a visitor never
    waits for it. It is loaded into memory when its first picture is asked for.

    Args:
        taken: name of what paints anyway.
        say: is told of a download before it begins.

    Raises:
        ImageGenError: one of them cannot be used.
    """
    engines: dict[str, Engine] = {}
    for name in given:
        for engine in _opened(name, device, say):
            if engine.name in (taken, *engines):
                raise EngineError("Two engines are called {name}; rename one of the folders.", name=engine.name)
            engines[engine.name] = engine
    return engines


def _opened(given: str, device: torch.device, say: Callable[[str], None]) -> list[Engine]:
    service, _, model = given.partition(":")
    if service == OPENAI:
        from imagegen.engines.openai_images import MODELS, OpenAIImages

        return [OpenAIImages(each) for each in ([model] if model else MODELS)]
    from imagegen.engines.fetching import find_pipeline
    from imagegen.engines.pipelines import Pipeline

    name, folder = find_pipeline(given, device.type == "cuda", say)
    return [Pipeline(folder, device, name)]
