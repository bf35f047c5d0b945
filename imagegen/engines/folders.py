"""What a folder of diffusers says of its pipeline, read without loading any weights."""

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from imagegen.engines.running import SOLVERS
from imagegen.errors import CheckpointError

__all__ = [
    "INDEX",
    "can_edit",
    "check_channels",
    "parts_of",
    "pipeline_class",
    "side_of",
    "sizes_of",
    "solvers_of",
    "weights_of",
]

INDEX = "model_index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
HALF = "fp16"
_WEIGHTS = re.compile(r"[^.]+(?:\.(?P<variant>[^.]+?))?(?:-\d{5}-of-\d{5})?\.safetensors")
OWN_PARTS = ("diffusers", "transformers", "stable_diffusion", "deprecated.stable_diffusion")
"""Libraries that a part may come from; any other would be code of the pipeline's own."""


def parts_of(folder: Path) -> tuple[str, dict[str, str]]:
    """The class of a pipeline, and of each part that it has the library that it comes from.

    Raises:
        CheckpointError: the folder holds no pipeline.
    """
    try:
        index: Any = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        parts = {name: part[0] for name, part in index.items() if isinstance(part, list) and part[0] is not None}
        if isinstance(index["_class_name"], str) and all(isinstance(library, str) for library in parts.values()):
            return index["_class_name"], parts
    except (OSError, ValueError, AttributeError, KeyError, IndexError):
        pass
    raise CheckpointError(
        "{name} is no pipeline of diffusers: it has no readable model_index.json.", name=folder.name
    ) from None


def weights_of(name: str, files: Iterable[str], parts: Iterable[str], half: bool) -> tuple[list[str], str | None]:
    """Which weights to read, as paths below the pipeline's folder, and their variant.

    Raises:
        CheckpointError: a part has weights as pickles only.
    """
    by_variant: dict[str | None, dict[str, list[str]]] = {None: {}, HALF: {}}
    files = list(files)
    for part in parts:
        own = [file for file in files if file.startswith(f"{part}/")]
        for file in own:
            match = _WEIGHTS.fullmatch(file.removeprefix(f"{part}/"))
            if match and match["variant"] in by_variant:
                by_variant[match["variant"]].setdefault(part, []).append(file)
        weighted = any(part in found for found in by_variant.values())
        if not weighted and any(file.endswith(PICKLES) for file in own):
            raise CheckpointError(
                "{name} holds {part} as a pickle only, which may run code; it is not opened. Take a copy with "
                "safetensors.",
                name=name,
                part=part,
            )
    plain, halved = by_variant[None], by_variant[HALF]
    complete = halved and plain.keys() <= halved.keys()
    variant = HALF if complete and (half or not halved.keys() <= plain.keys()) else None
    return [file for found in by_variant[variant].values() for file in found], variant


def pipeline_class(name: str, class_name: str, parts: Mapping[str, str]) -> Any:
    """The class that paints after a prompt with these parts."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING, _get_task_class

    cls = _get_task_class(AUTO_TEXT2IMAGE_PIPELINES_MAPPING, class_name, throw_error_if_not_exist=False)
    if cls is None:
        raise CheckpointError("{name} is a {kind}, which paints nothing after a prompt.", name=name, kind=class_name)
    for part, library in parts.items():
        if library not in OWN_PARTS:
            raise CheckpointError("{name} brings code of its own for {part}, which is not run.", name=name, part=part)
    return cls


def can_edit(class_name: str) -> bool:
    """Whether the parts of such a pipeline also paint over a picture, as a whole and under a mask, and tell of it."""
    from diffusers.pipelines import auto_pipeline as auto

    for tasks, needed in (
        (auto.AUTO_IMAGE2IMAGE_PIPELINES_MAPPING, {"image"}),
        (auto.AUTO_INPAINT_PIPELINES_MAPPING, {"image", "mask_image"}),
    ):
        cls = auto._get_task_class(tasks, class_name, throw_error_if_not_exist=False)
        accepted = set(inspect.signature(cls.__call__).parameters) if cls else set()
        if not needed | {"strength", "callback_on_step_end"} <= accepted:
            return False
    return True


def _config(folder: Path, part: str, name: str = "config.json") -> dict[str, Any]:
    try:
        return dict(json.loads((folder / part / name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def check_channels(name: str, folder: Path) -> None:
    """A U-Net made for inpainting or for instructions takes a picture beside the noise, and paints nothing from words.

    Raises:
        CheckpointError: it is one.
    """
    takes = _config(folder, "unet").get("in_channels")
    latents = _config(folder, "vae").get("latent_channels", takes)
    if takes is not None and takes != latents:
        raise CheckpointError(
            "{name} needs a picture beside every prompt: its U-Net takes {takes} channels, of which {latents} are "
            "noise. Take the model that it was made from; inpainting works with that too.",
            name=name,
            takes=takes,
            latents=latents,
        )


def solvers_of(folder: Path) -> tuple[str, ...]:
    """Our solvers that the pipeline's own scheduler can be replaced by."""
    import diffusers

    own = getattr(diffusers, str(_config(folder, "scheduler", "scheduler_config.json").get("_class_name")), None)
    replaced = {*getattr(own, "_compatibles", ()), getattr(own, "__name__", "")}
    return tuple(solver for solver, name in SOLVERS.items() if name in replaced)


def sizes_of(folder: Path) -> tuple[str, ...]:
    """Of a U-Net in the latents of a VAE: the one it was trained on, and three quarters and half of it; all square."""
    unet, vae = _config(folder, "unet"), _config(folder, "vae")
    side, blocks = unet.get("sample_size"), len(vae.get("block_out_channels", ()))
    if not isinstance(side, int) or not blocks:
        return ()
    step = 2 ** (len(unet.get("block_out_channels", ())) - 1)  # the U-Net halves its places so often
    sides = dict.fromkeys(max(step, side * quarters // 4 // step * step) for quarters in (4, 3, 2))
    return tuple(f"{each}x{each}" for each in (each * 2 ** (blocks - 1) for each in sides))


def side_of(size: str) -> int:
    """Of a square one of `sizes_of`."""
    return int(size.partition("x")[0])
