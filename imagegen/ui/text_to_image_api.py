"""The words tab's named endpoint, for programs: `/text_to_image`."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from imagegen.images import grid, to_pictures
from imagegen.recipes import Recipe, to_png
from imagegen.store import ModelStore
from imagegen.tasks import text_to_image as task
from imagegen.ui import text_to_image_views as views
from imagegen.ui.widgets import handed_over, plain_png
from imagegen.ui.wiring import JOB, NOTHING, Pace, endpoint, fields, picture_out

__all__ = ["add_endpoints", "told"]

COLUMNS = 3


def add_endpoints(store: ModelStore) -> None:
    """Add it to the page's API."""

    def text_to_image(
        prompt: str,
        negative_prompt: str,
        count: int,
        seed: int,
        solver: str,
        steps: int,
        guidance_scale: float,
        engine: str,
        size: str,
    ) -> Iterator[tuple[str | None, Any]]:
        """Paint faces or emoji of 64x64 after a prompt, step by step, or whatever another engine of the app paints.

        Args:
            prompt: in English or Chinese, at most 1,000 characters; the model reads 75 tokens of it.
            negative_prompt: what to go away from, at most 1,000 characters.
            count: how many, 1 to 64 (of another engine at most 16, of a service 4); picture i is drawn from seed + i.
            seed: 0 to 2^32 - 1.
            solver: ddim, ddpm, dpm++, euler or unipc.
            steps: 1 to 100.
            guidance_scale: 0 paints after the negative prompt, 1 after the prompt, up to 12 more so.
            engine: sd-mini, or another one that the app was started with; what does not apply to it is left aside.
            size: auto, or one of the engine's, such as 512x512.

        Returns:
            Now and then one PNG with what the network takes the pictures to be, three in a row, and where it stands;
            the last is the result, with its recipe, the words that the model was never taught (each with those
            it knows that look most like it), those such as *without* that may not help, and what of the prompt was
            too long to be read.
        """
        request = task.TextToImageRequest(
            prompt, negative_prompt, count, seed, solver, steps, guidance_scale, engine, size
        )
        painter = task.engine_of(request, store)
        reading = store.turn.run("job", partial(task.read, request.prompt, store, painter))
        recipe = views.recipes(request, store)[0]
        yield from told(views.steps([request], store), reading, recipe, store)

    endpoint(text_to_image, fields(**asdict(task.TextToImageRequest())), picture_out(), JOB)


def told(steps: Iterator[Any], reading: task.Reading, recipe: Recipe, store: ModelStore) -> Iterator[tuple[Any, Any]]:
    """What a program gets of a run: a preview now and then, and the result with what was read of its prompt."""
    pace = Pace()
    for step in steps:
        done = step.index == step.total
        images = store.turn.run("job", partial(getattr, step, "images")) if done or pace.due() else None
        if images is None or not len(images):
            yield NOTHING
            continue
        pictures = grid(to_pictures(images), COLUMNS, gap=0)
        about: dict[str, Any] = {"step": step.index, "of": step.total, "timestep": step.timestep}
        if done:
            about |= {
                "recipe": asdict(recipe),
                "unknown": reading.unknown,
                "negations": reading.negations,
                "cut_off": reading.cut_off,
            }
            yield handed_over(to_png(pictures, recipe), "pictures.png", about)
        else:
            yield handed_over(plain_png(pictures), "preview.png", about)
