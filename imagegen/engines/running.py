"""One run of a pipeline: in a thread that computes only while its next step is waited for, with its own scheduler."""

import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from queue import Queue
from typing import Any, TypeVar

from torch import Tensor

__all__ = ["SOLVERS", "run_pipeline", "watched_scheduler"]

T = TypeVar("T")
SOLVERS = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "euler": "EulerDiscreteScheduler",
    "unipc": "UniPCMultistepScheduler",
}
"""Our names of solvers, and diffusers'."""


class _Stopped(Exception):  # noqa: N818 (no error: nobody waits for the picture any more)
    """Raised in the thread of a run that was left."""


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
                try:
                    raise item
                finally:
                    del item  # whose traceback holds this frame, and all that the run computed with
            yield item
    finally:
        left.set()
        turn.release()
        thread.join()


def watched_scheduler(own: Any, solver: str | None) -> tuple[Any, list[Tensor]]:
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
