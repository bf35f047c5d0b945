"""Text-to-image pipelines of diffusers, loaded when they are asked and given back unchanged."""

import copy
import hashlib
import inspect
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imagegen.devices import generators
from imagegen.engines.editing import brought, taken_back
from imagegen.engines.engine import AUTO, Asked, Painted
from imagegen.engines.folders import (
    INDEX,
    can_edit,
    check_channels,
    parts_of,
    pipeline_class,
    side_of,
    sizes_of,
    solvers_of,
    weights_of,
)
from imagegen.engines.running import run_pipeline, watched_scheduler
from imagegen.errors import CheckpointError, ImageGenError
from imagegen.images import not_finite
from imagegen.models.attention import AttentionRecorder, WatchedAttention
from imagegen.store import weight_bytes

__all__ = ["AT_ONCE", "Pipeline"]

AT_ONCE = 4
"""Pictures in a batch."""
MAX_COUNT = 16
MAX_SIDE = 32
"""Places that an attention map is kept at, in width and in height."""
SHARE_OF_MEMORY = 0.7
"""Of what is free on a GPU, that weights may take; if they need more, each part is there only while it computes."""


class _NotFinite(Exception):  # noqa: N818 (turned into a second try, or an error of ours)
    """A step in half precision came out as NaN or infinite."""


class Pipeline:
    """A folder that diffusers' `AutoPipelineForText2Image` reads; loaded when the first picture is asked for.

    Args:
        folder: of the pipeline.
        device: where it is put.
        name: of the engine.
        dtype: half precision on CUDA and full elsewhere by default; what overflows is painted anew in full.

    Raises:
        CheckpointError: it is no such pipeline, needs code of its own, or holds pickles only.
    """

    remote = False
    max_count = MAX_COUNT

    def __init__(self, folder: Path, device: torch.device, name: str, dtype: torch.dtype | None = None) -> None:
        self.folder, self.device, self.name = folder, device, name
        class_name, parts = parts_of(folder)
        files = [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]
        self.dtype = dtype or _precision(device, transformer="transformer" in parts)
        self.weights, self.variant = weights_of(self.name, files, parts, half=self.dtype != torch.float32)
        cls = pipeline_class(self.name, class_name, parts)
        check_channels(self.name, folder)
        self.accepted = set(inspect.signature(cls.__call__).parameters)
        if "callback_on_step_end" not in self.accepted:
            raise CheckpointError("{name} is a {kind}, which tells nothing of its steps.", name=name, kind=class_name)
        self.files = sorted([INDEX, *self.weights, *(f for f in files if f.endswith(".json") and f.count("/") == 1)])
        self.watched = cls.__name__ == "StableDiffusionPipeline"
        self.solvers = solvers_of(folder)
        self.sizes = sizes_of(folder) if {"height", "width"} <= self.accepted else ()
        offers = {"solver": self.solvers, "size": self.sizes, "picture": self.sizes and can_edit(class_name)}
        heeded = self.accepted & {"negative_prompt", "guidance_scale"}
        self.heeds = frozenset({"seed", "steps", *heeded, *(field for field, offered in offers.items() if offered)})
        self._pipe: Any = None
        self._sha256: str | None = None
        self._lock = threading.RLock()

    def sha256(self) -> str:
        """Of every file that is read; worked out once."""
        with self._lock:
            if self._sha256 is None:
                sums = hashlib.sha256()
                for name in self.files:
                    with (self.folder / name).open("rb") as file:
                        sums.update(f"{name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
                self._sha256 = sums.hexdigest()
            return self._sha256

    def tokenizer(self) -> Any:
        return self.load().tokenizer if self.watched else None

    def load(self, dtype: torch.dtype | None = None) -> Any:
        """The pipeline on its device, which nobody may change; anew if `dtype` is another one than before.

        Raises:
            CheckpointError: its weights do not fit.
        """
        with self._lock:
            if self._pipe is None or (dtype and dtype != self.dtype):
                self.dtype = dtype or self.dtype
                self._pipe = None
                self._pipe = self._loaded()
            return self._pipe

    def paint(self, asked: Asked) -> Iterator[Painted]:
        if asked.picture is None:
            yield from self._painted(asked, {})
        elif not int(asked.strength * asked.steps):  # diffusers walks no step either, and would raise
            yield Painted(1, 1, result=asked.picture.expand(len(asked.seeds), -1, -1, -1))
        else:
            scale: int = self.load().vae_scale_factor
            given = brought(asked.picture, asked.mask, side_of(self.sizes[0]), scale) | {"strength": asked.strength}
            for step in self._painted(asked, given):
                done = step.result
                yield step if done is None else replace(step, result=taken_back(done, asked.picture, asked.mask))

    def _painted(self, asked: Asked, given: Mapping[str, Any]) -> Iterator[Painted]:
        """In batches; one that finds no memory is tried again at half the size, one that overflows in fp32."""
        done: list[Tensor] = []
        at_once = AT_ONCE
        while len(done) < len(asked.seeds):
            seeds = asked.seeds[len(done) : len(done) + at_once]
            before, batches = len(done) // at_once, -(-len(asked.seeds) // at_once)
            dtype = None
            try:
                for index, steps, timestep, pred_x0, attention, result in self._batch(asked, seeds, given):
                    done += result if result is not None else []
                    yield Painted(
                        index=before * steps + index,
                        total=batches * steps,
                        timestep=timestep,
                        result=torch.stack(done) if len(done) == len(asked.seeds) else None,
                        pred_x0=pred_x0,
                        decode=None if pred_x0 is None else self._decode,
                        attention=attention,
                    )
            except _NotFinite:
                if self.dtype == torch.float32:
                    raise not_finite() from None
                dtype = torch.float32
            except torch.OutOfMemoryError:
                if at_once < AT_ONCE or len(seeds) == 1:
                    raise
                at_once = len(seeds) // 2
            else:
                continue
            torch.cuda.empty_cache()  # here, where what failed is no longer held by its traceback
            self.load(dtype)

    def _batch(
        self, asked: Asked, seeds: tuple[int, ...], given: Mapping[str, Any]
    ) -> Iterator[tuple[int, int, int, Any, Any, Any]]:
        """Index and number of the step, its noise level, and of the first picture pred_x0 and attention; the result."""
        whole = self.load()
        if self._can_be_seen(whole) and whole.vae.config.force_upcast and whole.vae.dtype != self.dtype:
            whole.vae.to(self.dtype)  # it is raised to fp32 still where a decode of the pipeline's own failed
        kind = "Inpainting" if "mask_image" in given else "Image2Image"
        pipe = _for(kind, whole) if given else copy.copy(whole)
        pipe.scheduler, seen = watched_scheduler(
            whole.scheduler, asked.solver if asked.solver in self.solvers else None
        )
        guiding = asked.guidance_scale > 1
        square = not given or given["height"] == given["width"]
        row = len(seeds) if guiding else 0
        recorder = AttentionRecorder(row, MAX_SIDE) if self.watched and square else None

        def look(running: Any, index: int, timestep: int, latents: Tensor) -> tuple[int, int, int, Any, Any, Any]:
            if not latents.isfinite().all():
                raise _NotFinite
            attention = None
            if recorder:
                attention = recorder.heat().float()
                recorder.seen.clear()
            pred_x0 = seen[-1][:1].clone() if seen and self._can_be_seen(running) else None
            return index + 1, running.num_timesteps, timestep, pred_x0, attention, None

        held = None  # the last step, until its pictures are there
        for item in run_pipeline(pipe, self._call(pipe, asked, seeds, given, recorder), look):
            if isinstance(item, tuple):
                if item[0] < item[1]:
                    yield item
                held = item
            elif held:
                yield *held[:-1], self._checked(item)

    def _call(
        self,
        pipe: Any,
        asked: Asked,
        seeds: tuple[int, ...],
        given: Mapping[str, Any],
        recorder: AttentionRecorder | None,
    ) -> dict[str, Any]:
        """What the pipeline is called with; each picture has a generator of its own on the CPU, noise in fp32."""
        rngs = [generators(seed, 1)[0] for seed in seeds]
        call: dict[str, Any] = {
            "prompt": [asked.prompt] * len(seeds),
            "num_inference_steps": asked.steps,
            "guidance_scale": asked.guidance_scale,
            "generator": rngs,
            "output_type": "pt",
        }
        if asked.negative_prompt:
            call["negative_prompt"] = [asked.negative_prompt] * len(seeds)
        side = 0 if asked.size == AUTO else side_of(asked.size)
        if side:
            call |= {"width": side, "height": side}
        for name in ("image", "mask_image"):
            if name in given:
                call[name] = given[name].expand(len(seeds), -1, -1, -1)
        call |= {name: given[name] for name in ("strength", "height", "width") if name in given}
        if self.sizes and not given:
            side = (side or side_of(self.sizes[0])) // pipe.vae_scale_factor
            shape = (pipe.unet.config.in_channels, side, side)
            call["latents"] = torch.stack([torch.randn(shape, generator=rng) for rng in rngs]).to(self.dtype)
        if recorder:
            call["cross_attention_kwargs"] = {"recorder": recorder}
        accepted = inspect.signature(type(pipe).__call__).parameters
        return {key: value for key, value in call.items() if key in accepted}

    def _checked(self, output: Any) -> Tensor:
        """Pictures (N, 3, H, W) in [-1, 1], none of which is not finite, or was refused and so is black."""
        pictures: Tensor = 2 * output.images.float().cpu() - 1
        if not pictures.isfinite().all():
            raise _NotFinite
        flagged = getattr(output, "nsfw_content_detected", None) or []
        refused = [i + 1 for i, found in enumerate(flagged) if found]
        if refused:
            raise ImageGenError(
                "The safety checker of {name} refused picture {which} of these: it takes it for one that should not "
                "be shown. Try another seed or prompt.",
                name=self.name,
                which=", ".join(map(str, refused)),
            )
        return pictures

    def _can_be_seen(self, pipe: Any) -> bool:
        return bool(self.sizes) and getattr(pipe, "vae", None) is not None

    @torch.no_grad()
    def _decode(self, latents: Tensor) -> Tensor:
        """Previews, which the safety checker looks at too: what it refuses is grey."""
        pipe = self.load()
        vae = pipe.vae
        raised = vae.dtype == torch.float16 and vae.config.force_upcast
        if raised:
            vae.to(torch.float32)  # as the pipeline itself does, and within one turn on the device
        try:
            scaled = latents.to(vae.dtype) / vae.config.scaling_factor + (vae.config.shift_factor or 0)
            pictures = vae.decode(scaled.to(self.device)).sample.float().clamp(-1, 1)
        finally:
            if raised:
                vae.to(torch.float16)
        if getattr(pipe, "safety_checker", None) is None:
            return pictures.cpu()  # type: ignore[no-any-return]
        _, flagged = pipe.run_safety_checker(pictures.clone(), self.device, self.dtype)
        shown = torch.tensor([not found for found in flagged])[:, None, None, None]
        return torch.where(shown, pictures.cpu(), torch.zeros(()))

    def _loaded(self) -> Any:
        import diffusers
        import transformers

        for library in (diffusers, transformers):
            library.utils.logging.disable_progress_bar()
        try:
            pipe = diffusers.AutoPipelineForText2Image.from_pretrained(  # type: ignore[no-untyped-call]
                self.folder, dtype=self.dtype, variant=self.variant, use_safetensors=True, local_files_only=True
            )
        except (AttributeError, ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError) as problem:
            raise CheckpointError(
                "{name}: the weights do not fit: {problem}",
                name=self.name,
                problem=str(problem).partition("\n")[0].replace(f"{self.folder}{os.sep}", "")[:300],
            ) from problem
        pipe.set_progress_bar_config(disable=True)
        if self.watched:
            pipe.unet.set_attn_processor(WatchedAttention())
        if (
            self.device.type == "cuda"
            and weight_bytes(pipe) > SHARE_OF_MEMORY * torch.cuda.mem_get_info(self.device)[0]
        ):
            pipe.enable_model_cpu_offload(device=self.device)
        else:
            pipe.to(self.device)
        return pipe


def _for(kind: str, whole: Any) -> Any:
    """A pipeline of another kind around the same networks: `Image2Image` or `Inpainting`."""
    import diffusers

    pipe = getattr(diffusers, f"AutoPipelineFor{kind}").from_pipe(whole)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _precision(device: torch.device, transformer: bool) -> torch.dtype:
    """Transformers are trained in bf16, and overflow in fp16."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if transformer and torch.cuda.is_bf16_supported() else torch.float16
