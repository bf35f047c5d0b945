"""Text-to-image pipelines of diffusers, run in a thread that computes only while its next step is waited for."""

import copy
import functools
import hashlib
import inspect
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import Queue
from typing import Any, TypeVar

import torch
from torch import Tensor

from imagegen.checkpoints import weight_bytes
from imagegen.devices import generators
from imagegen.engines.engine import AUTO, Asked, Painted
from imagegen.engines.fetching import INDEX, parts_of, weights_of
from imagegen.errors import CheckpointError, ImageGenError
from imagegen.images import not_finite
from imagegen.models.attention import AttentionRecorder, WatchedAttention

__all__ = ["Pipeline", "run_pipeline"]

T = TypeVar("T")
AT_ONCE = 4
"""Pictures in a batch."""
MAX_COUNT = 16
MAX_SIDE = 32
"""Places that an attention map is kept at, in width and in height."""
SHARE_OF_MEMORY = 0.7
"""Of what is free on a GPU, that weights may take; if they need more, each part is there only while it computes."""
SOLVERS = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "unipc": "UniPCMultistepScheduler",
}
"""Our names of solvers, and diffusers'."""
OWN_PARTS = ("diffusers", "transformers", "stable_diffusion", "deprecated.stable_diffusion")
"""Libraries that a part may come from; any other would be code of the pipeline's own."""


class _Stopped(Exception):  # noqa: N818 (no error: nobody waits for the picture any more)
    """Raised in the thread of a run that was left."""


class _NotFinite(Exception):  # noqa: N818 (turned into a second try, or an error of ours)
    """A step in half precision came out as NaN or infinite."""


def run_pipeline(pipe: Any, asked: Mapping[str, Any], look: Callable[[Any, int, int, Tensor], T]) -> Iterator[T | Any]:
    """`pipe(**asked)`: what `look(pipe, index, timestep, latents)` makes of each step, and then the pipeline's output.

    Whoever leaves before the end stops it there: the thread computes within `next` and at no other time.
    """
    told: Queue[tuple[bool, Any]] = Queue(maxsize=1)  # whether it is over, and what there is
    turn = threading.Semaphore(0)
    left = threading.Event()

    def wait() -> None:
        turn.acquire()
        if left.is_set():
            raise _Stopped

    def on_step_end(running: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        told.put((False, look(running, index, int(timestep), tensors["latents"])))
        wait()
        return {}

    def work() -> None:
        try:
            wait()
            told.put((True, pipe(**asked, callback_on_step_end=on_step_end)))
        except BaseException as problem:
            pipe.maybe_free_model_hooks()
            told.put((True, problem))

    thread = threading.Thread(target=work, name="pipeline", daemon=True)
    thread.start()
    try:
        over = False
        while not over:
            turn.release()
            over, item = told.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        left.set()
        turn.release()
        thread.join()


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
        cls = _pipeline_class(self.name, class_name, parts)
        self.accepted = set(inspect.signature(cls.__call__).parameters)
        if "callback_on_step_end" not in self.accepted:
            raise CheckpointError("{name} is a {kind}, which tells nothing of its steps.", name=name, kind=class_name)
        self.files = sorted([INDEX, *self.weights, *(f for f in files if f.endswith(".json") and f.count("/") == 1)])
        self.watched = cls.__name__ == "StableDiffusionPipeline"
        self.solvers = _solvers(folder)
        self.sizes = _sizes(folder) if {"height", "width"} <= self.accepted else ()
        heeded = self.accepted & {"negative_prompt", "guidance_scale"}
        self.heeds = frozenset(
            {"seed", "steps", *heeded, *(["solver"] if self.solvers else []), *(["size"] if self.sizes else [])}
        )
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
        """In batches; one that finds no memory is tried again at half the size, one that overflows in fp32."""
        done: list[Tensor] = []
        at_once = AT_ONCE
        while len(done) < len(asked.seeds):
            seeds = asked.seeds[len(done) : len(done) + at_once]
            before, batches = len(done) // at_once, -(-len(asked.seeds) // at_once)
            try:
                for index, steps, timestep, pred_x0, attention, result in self._batch(asked, seeds):
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
                self.load(torch.float32)
            except torch.OutOfMemoryError:
                if at_once < AT_ONCE or len(seeds) == 1:
                    raise
                at_once = len(seeds) // 2
                torch.cuda.empty_cache()

    def _batch(self, asked: Asked, seeds: tuple[int, ...]) -> Iterator[tuple[int, int, int, Any, Any, Any]]:
        """Index and number of the step, its noise level, and of the first picture pred_x0 and attention; the result."""
        whole = self.load()
        pipe = copy.copy(whole)
        pipe.scheduler, seen = _scheduler(whole.scheduler, asked.solver if asked.solver in self.solvers else None)
        guiding = asked.guidance_scale > 1
        recorder = AttentionRecorder(row=len(seeds) if guiding else 0, side=MAX_SIDE) if self.watched else None

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
        for item in run_pipeline(pipe, self._call(pipe, asked, seeds, recorder), look):
            if isinstance(item, tuple):
                if item[0] < item[1]:
                    yield item
                held = item
            elif held:
                yield *held[:-1], self._checked(item)

    def _call(self, pipe: Any, asked: Asked, seeds: tuple[int, ...], recorder: AttentionRecorder | None) -> Any:
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
        side = 0 if asked.size == AUTO else int(asked.size.partition("x")[0])
        if side:
            call |= {"width": side, "height": side}
        if self.sizes:
            side = (side or int(self.sizes[0].partition("x")[0])) // pipe.vae_scale_factor
            shape = (pipe.unet.config.in_channels, side, side)
            call["latents"] = torch.stack([torch.randn(shape, generator=rng) for rng in rngs]).to(self.dtype)
        if recorder:
            call["cross_attention_kwargs"] = {"recorder": recorder}
        return {key: value for key, value in call.items() if key in self.accepted}

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
        scaled = latents.to(vae.dtype) / vae.config.scaling_factor + (vae.config.shift_factor or 0)
        pictures = vae.decode(scaled.to(self.device)).sample.float().clamp(-1, 1)
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
                problem=str(problem).partition("\n")[0][:300],
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


def _precision(device: torch.device, transformer: bool) -> torch.dtype:
    """Transformers are trained in bf16, and overflow in fp16."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if transformer and torch.cuda.is_bf16_supported() else torch.float16


def _pipeline_class(name: str, class_name: str, parts: Mapping[str, str]) -> Any:
    """The class that paints after a prompt with these parts."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING, _get_task_class

    cls = _get_task_class(AUTO_TEXT2IMAGE_PIPELINES_MAPPING, class_name, throw_error_if_not_exist=False)
    if cls is None:
        raise CheckpointError("{name} is a {kind}, which paints nothing after a prompt.", name=name, kind=class_name)
    for part, library in parts.items():
        if library not in OWN_PARTS:
            raise CheckpointError("{name} brings code of its own for {part}, which is not run.", name=name, part=part)
    return cls


def _config(folder: Path, part: str, name: str = "config.json") -> dict[str, Any]:
    try:
        return dict(json.loads((folder / part / name).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _solvers(folder: Path) -> tuple[str, ...]:
    """Our solvers that the pipeline's own scheduler can be replaced by."""
    import diffusers

    own = getattr(diffusers, str(_config(folder, "scheduler", "scheduler_config.json").get("_class_name")), None)
    replaced = {*getattr(own, "_compatibles", ()), getattr(own, "__name__", "")}
    return tuple(solver for solver, name in SOLVERS.items() if name in replaced)


def _sizes(folder: Path) -> tuple[str, ...]:
    """Of a U-Net in the latents of a VAE: the one it was trained on, and three quarters and half of it; all square."""
    unet, vae = _config(folder, "unet"), _config(folder, "vae")
    side, blocks = unet.get("sample_size"), len(vae.get("block_out_channels", ()))
    if not isinstance(side, int) or not blocks:
        return ()
    step = 2 ** (len(unet.get("block_out_channels", ())) - 1)  # the U-Net halves its places so often
    sides = dict.fromkeys(max(step, side * quarters // 4 // step * step) for quarters in (4, 3, 2))
    return tuple(f"{each}x{each}" for each in (each * 2 ** (blocks - 1) for each in sides))


def _scheduler(own: Any, solver: str | None) -> tuple[Any, list[Tensor]]:
    """A scheduler for one run, and where it puts what it takes the picture to be, at most the last."""
    import diffusers

    cls = type(own) if solver is None else getattr(diffusers, SOLVERS[solver])
    clipping = {"clip_sample": False} if solver in ("ddim", "ddpm") else {}  # meant for pixels, on by default
    scheduler = cls.from_config(own.config, **clipping)
    seen: list[Tensor] = []
    step = scheduler.step

    @functools.wraps(step)
    def watched(*arguments: Any, return_dict: bool = True, **options: Any) -> Any:
        output = step(*arguments, **options)
        pred_x0 = getattr(output, "pred_original_sample", None)
        if pred_x0 is None and solver in ("dpm++", "unipc"):
            pred_x0 = scheduler.model_outputs[-1]
        seen[:] = [output.prev_sample if pred_x0 is None else pred_x0]
        return output if return_dict else (output.prev_sample,)

    scheduler.step = watched
    return scheduler, seen
