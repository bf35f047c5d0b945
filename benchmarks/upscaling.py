"""How much memory it takes to enlarge the largest picture that is allowed, 512x512 to 2048x2048.

python -m benchmarks.upscaling [CHECKPOINTS]

A picture of 128x128 is enlarged first, so that the network is loaded; then the large one, tile by tile as the app does,
and, for comparison, whole. How far the process's peak has grown each time is printed; where nothing is known of that
(Windows), nothing is measured.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from imagegen.checkpoints import ModelStore
from imagegen.models.sr import upscale
from imagegen.tasks import sr

SIDE = 512
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # in which the system counts


def peak() -> float:
    """Of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KILOBYTE / 2**20


def measured(name: str, run: Callable[[], object]) -> None:
    before, begin = peak(), time.perf_counter()
    run()
    print(f"{name}: {peak() - before:.0f} MB more, {time.perf_counter() - begin:.1f} s")  # noqa: T201


def tiled(picture: Tensor, store: ModelStore) -> None:
    for _ in sr.run(sr.UpscaleRequest(picture), store):
        pass


def main(checkpoints: Path) -> None:
    store = ModelStore(checkpoints, torch.device("cpu"))
    picture = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    tiled(picture[..., :128, :128].contiguous(), store)
    print(f"loaded, one tile enlarged: peak {peak():.0f} MB, {torch.get_num_threads()} threads")  # noqa: T201
    measured(f"{SIDE}² by tiles", lambda: tiled(picture, store))
    measured(f"{SIDE}² whole", lambda: upscale(store.get(sr.FAITHFUL), picture))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("checkpoints"))
