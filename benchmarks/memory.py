"""How much memory the largest picture takes that is allowed: enlarging 512x512 to 2048x2048, painting 2048x2048.

python -m benchmarks.memory upscale|style [CHECKPOINTS]

A small picture goes first, so that the network is loaded; then the large one, tile by tile as the app does, and, for
comparison, whole. How far the process's peak has grown each time is printed; where nothing is known of that (Windows),
nothing is measured.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from imagegen.checkpoints import ModelStore
from imagegen.models.sr import upscale
from imagegen.tasks import sr, style

SMALL, LOW_RES = 128, 512
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # in which the system counts


def peak() -> float:
    """Of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE / 2**20


def measured(name: str, run: Callable[[], object]) -> None:
    before, begin = peak(), time.perf_counter()
    run()
    print(f"{name}: {peak() - before:.0f} MB more, {time.perf_counter() - begin:.1f} s")  # noqa: T201


def drain(steps: Iterator[object]) -> None:
    for _ in steps:
        pass


def enlarge(picture: Tensor, store: ModelStore) -> None:
    drain(sr.run(sr.UpscaleRequest(picture), store))


def enlarge_whole(picture: Tensor, store: ModelStore) -> None:
    upscale(store.get(sr.FAITHFUL), picture)


def painting(picture: Tensor, store: ModelStore) -> style.StyleRequest:
    return style.StyleRequest(picture, style=style.style_names(store)[:1], size=picture.shape[-1])


def paint(picture: Tensor, store: ModelStore) -> None:
    drain(style.run(painting(picture, store), store))


@torch.no_grad()
def paint_whole(picture: Tensor, store: ModelStore) -> None:
    store.get(style.FAST).paint(picture, style.code_of(painting(picture, store), store))


TASKS = {"upscale": (LOW_RES, enlarge, enlarge_whole), "style": (style.MAX_SIZE, paint, paint_whole)}


def main(task: str, checkpoints: Path) -> None:
    store = ModelStore(checkpoints, torch.device("cpu"))
    side, by_tiles, whole = TASKS[task]
    small, large = (torch.rand(1, 3, size, size) * 2 - 1 for size in (SMALL, side))
    by_tiles(small, store)
    print(f"{task}: loaded, {SMALL}² done: peak {peak():.0f} MB, {torch.get_num_threads()} threads")  # noqa: T201
    measured(f"{side}² by tiles", lambda: by_tiles(large, store))
    measured(f"{side}² whole", lambda: whole(large, store))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else Path("checkpoints"))
