"""The app with tiny untrained checkpoints, whose long runs take their time and tell of every step."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from e2e.visiting import App, faults, running

# Notes each call of a diffusion network, which then takes 2 ms a picture, each tile that is enlarged, which takes
# 0.3 s if it is whole, and in a second file each turn of a long run, which takes 5 ms.
SLOW_APP = """
import os, time
from imagegen.devices import DeviceLock
from imagegen.models.diffusion import Denoiser
from imagegen.tasks import editing, sr, text_to_image

def note(kind):
    with open(os.environ["NOTES"] + kind, "a") as notes:
        notes.write(".")

def noted(function, seconds):
    def slow(network, x, *rest):
        note("calls")
        time.sleep(seconds(x))
        return function(network, x, *rest)
    return slow

def in_turn(lock, lane, work, run=DeviceLock.run):
    if lane == "job":
        note("turns")
        time.sleep(0.005)
    return run(lock, lane, work)

Denoiser.forward = noted(Denoiser.forward, lambda x_t: 0.002 * len(x_t))
text_to_image.guided = editing.guided = noted(text_to_image.guided, lambda x_t: 0.002 * len(x_t))
sr.upscale = noted(sr.upscale, lambda low_res: 4e-6 * low_res.numel())
DeviceLock.run = in_turn
import app
app.main()
"""


class Tiny(NamedTuple):
    """The app, and the folder where it notes what it does."""

    app: App
    notes: Path

    def calls(self) -> int:
        """Of its networks of diffusion and super-resolution."""
        return (self.notes / "calls").stat().st_size

    def turns(self) -> int:
        """That long runs took on the device."""
        return (self.notes / "turns").stat().st_size


@contextmanager
def running_slowly(checkpoints: Path, folder: Path) -> Iterator[Tiny]:
    for kind in ("calls", "turns"):
        (folder / kind).touch()
    env = {"NOTES": f"{folder}{os.sep}"}
    with running(folder / "log.txt", checkpoints, env, ("-c", SLOW_APP)) as app:
        yield Tiny(app, folder)
        assert not faults(app.log.read_text())
