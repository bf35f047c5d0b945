"""The GAN tab's named endpoints, for programs: `/gan_sample` and `/gan_score`."""

from dataclasses import asdict
from typing import Any

import gradio as gr
import torch
from PIL import Image

from imagegen.checkpoints import ModelStore
from imagegen.images import grid, to_digit, to_pictures
from imagegen.recipes import to_png
from imagegen.tasks import gan as task
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.inputs import Picture
from imagegen.ui.widgets import handed_over
from imagegen.ui.wiring import endpoint, fields, last_step

__all__ = ["COLUMNS", "add_endpoints"]

COLUMNS = 10
"""Digits in a row of a sheet."""


def add_endpoints(store: ModelStore) -> None:
    """Add both to the page's API."""

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

    controls = fields(digit=None, second_digit=None, mix=0, count=25, seed=0, truncation=1, directions=[])
    sheet, judged = gr.Image(label="digits", format="png", visible=False), gr.JSON(label="judged", visible=False)
    endpoint(gan_sample, controls, [sheet, judged])
    picture = Picture(label="picture", visible=False)
    endpoint(gan_score, {"picture": picture, **fields(digit=None)}, [gr.JSON(label="verdict", visible=False)])
