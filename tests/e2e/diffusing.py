"""The app with tiny untrained checkpoints, whose diffusion takes its time, and how its endpoints are asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from e2e.visiting import Answer, App, call, running

# Notes each call of a diffusion network, which then takes 2 ms a picture.
SLOW_APP = """
import os, time
from imagegen.models.diffusion import Denoiser
from imagegen.tasks import text_to_image

def noted(forward):
    def slow(network, x_t, *rest):
        with open(os.environ["NOTES"], "a") as notes:
            notes.write(".")
        time.sleep(0.002 * len(x_t))
        return forward(network, x_t, *rest)
    return slow

Denoiser.forward = noted(Denoiser.forward)
text_to_image.guided = noted(text_to_image.guided)
import app
app.main()
"""

DIGIT: dict[str, Any] = {"model": "ddpm-mnist", "digit": 7, "wanted": [], "unwanted": []}
DEFAULTS: dict[str, dict[str, Any]] = {
    "diffuse_forward": {"picture": None, "t": 500, "seed": 0},
    "diffuse_sample": DIGIT | {"count": 1, "seed": 0, "solver": "unipc", "steps": 1, "guidance_scale": 1.5, "eta": 0},
    "diffuse_race": DIGIT | {"seed": 0, "guidance_scale": 1.5, "lanes": [["ddim", 1], ["unipc", 2]]},
}
LIMITS = {
    "t": "0 to 999",
    "digit": "0 to 9",
    "count": "1 to 64",
    "seed": "0 to 4294967295",
    "steps": "1 to 100",
    "guidance_scale": "0 to 8",
    "eta": "0 to 1",
}


class Tiny(NamedTuple):
    """The app, and where it notes the calls of its networks."""

    app: App
    notes: Path

    def calls(self) -> int:
        return self.notes.stat().st_size


@contextmanager
def running_slowly(checkpoints: Path, folder: Path) -> Iterator[Tiny]:
    (folder / "notes").touch()
    env = {"NOTES": str(folder / "notes")}
    with running(folder / "log.txt", checkpoints, env, ("-c", SLOW_APP)) as app:
        yield Tiny(app, folder / "notes")
        assert "Traceback" not in app.log.read_text()


def ask(http: httpx.Client, name: str, **values: object) -> Answer:
    return call(http, name, list({**DEFAULTS[name], **values}.values()))
