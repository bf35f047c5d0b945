"""The GAN tab's named endpoints, for programs: `/gan_sample`, `/gan_score` and `/gan_walk`."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr
import torch
from PIL import Image

from imagegen.images import grid, to_digit, to_pictures
from imagegen.recipes import to_png, to_webp_animation
from imagegen.store import ModelStore
from imagegen.tasks import gan as task
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.widgets import handed_over, plain_png
from imagegen.ui.wiring import (
    JOB,
    NOTHING,
    Pace,
    endpoint,
    fields,
    hidden,
    last_step,
    picture_out,
    pictures_in,
    steps_in_turn,
)

__all__ = ["COLUMNS", "SECONDS_PER_FRAME", "add_endpoints"]

COLUMNS = 10
"""Digits in a row of a sheet."""
SECONDS_PER_FRAME = 0.08
"""Of a walk as an animation."""


def add_endpoints(store: ModelStore) -> None:
    """Add all three to the page's API."""

    def gan_sample(
        digit: int | None,
        second_digit: int | None,
        mix: float,
        count: int,
        seed: int,
        truncation: float,
        directions: tuple[float, ...],
    ) -> tuple[str | None, Any]:
        """Draw digits with the GAN.

        Args:
            digit: 0 to 9, or nothing for all ten in turn.
            second_digit: another digit to mix in, 0 to 9, or nothing.
            mix: how much of it, 0 to 1.
            count: how many, 1 to 64; digit i is drawn from seed + i.
            seed: 0 to 2^32 - 1.
            truncation: 1 as trained, 0 the average digit, at most 1.5.
            directions: up to 8 amounts along the latent directions, -3 to 3.

        Returns:
            One PNG with the digits, ten in a row, and what the judges say of each.
        """
        request = task.GanRequest(digit, second_digit, mix, count, seed, directions, truncation=truncation)
        step = last_step(task.run(request, store), store)
        recipe = recipe_of(TASKS["gan"], request, store)
        judged = {
            "labels": step.labels.tolist(),
            "realness": [round(x, 4) for x in step.realness.tolist()],
            "readings": step.readings.argmax(dim=1).tolist(),
            "recipe": asdict(recipe),
        }
        return handed_over(to_png(grid(to_pictures(step.images), COLUMNS, gap=0), recipe), "digits.png", judged)

    def gan_score(picture: Image.Image | None, digit: int | None) -> dict[str, Any]:
        """Ask the discriminator and the classifier about a drawn or photographed digit.

        Args:
            picture: any picture of one digit; it is cut out and centred as MNIST was made.
            digit: what it is meant to be, 0 to 9, or nothing for what it reads as.

        Returns:
            realness (logit minus its mean on real digits), the digit, and the ten probabilities.
        """
        prepared = to_digit(picture) if picture else torch.empty(0)
        verdict = store.turn.run("live", lambda: task.score(task.ScoreRequest(prepared, digit), store))
        return {
            "digit": verdict.digit,
            "realness": round(verdict.realness, 4),
            "reading": [round(p, 4) for p in verdict.reading.tolist()],
        }

    def gan_walk(
        digit: int, second_digit: int, seed: int, second_seed: int | None, frames: int
    ) -> Iterator[tuple[str | None, Any]]:
        """Walk from one code to another, and from digit to digit.

        Args:
            digit: where it starts, 0 to 9.
            second_digit: where it ends, 0 to 9.
            seed: of the code at the start, 0 to 2^32 - 1.
            second_seed: of the code at the end, 0 to 2^32 - 1, or nothing for the seed after the first.
            frames: pictures on the way, both ends included, 2 to 60.

        Returns:
            Now and then one PNG with the frames so far, ten in a row, and where it stands; the last is the whole
            walk as an animated WebP, with its recipe.
        """
        request = task.WalkRequest(digit, second_digit, seed, second_seed, frames)
        recipe = recipe_of(TASKS["gan-walk"], request, store)
        pace = Pace()
        for step in steps_in_turn(task.walk(request, store), store, "job"):
            about = {"frame": step.index, "of": step.total}
            if step.index == step.total:
                film = to_webp_animation(to_pictures(step.images), SECONDS_PER_FRAME, recipe)
                yield handed_over(film, "walk.webp", about | {"recipe": asdict(recipe)})
            elif pace.due():
                yield handed_over(plain_png(grid(to_pictures(step.images), COLUMNS, gap=0)), "walk.png", about)
            else:
                yield NOTHING

    controls = fields(digit=None, second_digit=None, mix=0, count=25, seed=0, truncation=1, directions=[])
    endpoint(gan_sample, controls, picture_out("digits", "judged"))
    endpoint(gan_score, {**pictures_in("picture"), **fields(digit=None)}, [hidden(gr.JSON, label="verdict")])
    walk = fields(digit=3, second_digit=8, seed=0, second_seed=None, frames=24)
    endpoint(gan_walk, walk, picture_out("walk"), JOB)
