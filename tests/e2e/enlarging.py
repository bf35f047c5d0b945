"""The app with tiny networks, whose super-resolution notes each tile and takes its time over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from e2e.diffusing import Tiny
from e2e.visiting import running
from PIL import Image

SLOW_APP = """
import os, time
from imagegen.tasks import sr

upscale = sr.upscale

def noted(network, low_res):
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(".")
    time.sleep(4e-6 * low_res.numel())  # 0.3 s for a whole tile
    return upscale(network, low_res)

sr.upscale = noted
import app
app.main()
"""


@contextmanager
def enlarging_slowly(checkpoints: Path, folder: Path) -> Iterator[Tiny]:
    (folder / "notes").touch()
    env = {"NOTES": str(folder / "notes")}
    with running(folder / "log.txt", checkpoints, env, ("-c", SLOW_APP)) as app:
        yield Tiny(app, folder / "notes")
        assert "Traceback" not in app.log.read_text()


def photo(width: int, height: int) -> Image.Image:
    """Coloured clouds, the same at every call."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
