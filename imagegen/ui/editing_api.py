"""The editing tab's named endpoints, for programs: `/edit_image` and `/inpaint`."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from PIL import Image

from imagegen.images import to_tensor
from imagegen.store import ModelStore
from imagegen.tasks import editing as task
from imagegen.tasks import text_to_image as words
from imagegen.ui import editing_views as views
from imagegen.ui.text_to_image_api import told
from imagegen.ui.wiring import JOB, endpoint, fields, picture_out, pictures_in, steps_in_turn

__all__ = ["add_endpoints"]


def add_endpoints(store: ModelStore) -> None:
    """Add both to the page's API."""

    def edit_image(
        picture: Image.Image | None,
        prompt: str,
        negative_prompt: str,
        strength: float,
        count: int,
        seed: int,
        solver: str,
        steps: int,
        guidance_scale: float,
        engine: str,
    ) -> Iterator[tuple[str | None, Any]]:
        """Change a picture by words: it is noised to some level and painted back after a prompt.

        Args:
            picture: what is changed; sd-mini takes its square middle at 64x64, another engine all of it, at its size.
            prompt: what it is to show, in English or Chinese, at most 1,000 characters.
            negative_prompt: what to go away from, at most 1,000 characters.
            strength: 0 gives a copy of the picture, 1 keeps nothing of it.
            count: how many, 1 to 64 (of another engine at most 16); picture i is drawn from seed + i.
            seed: 0 to 2^32 - 1.
            solver: ddim, ddpm, dpm++, euler or unipc.
            steps: 1 to 100, of which the last strength x steps are walked.
            guidance_scale: 0 paints after the negative prompt, 1 after the prompt, up to 12 more so.
            engine: sd-mini, or another one of the app that edits; what does not apply to it is left aside.

        Returns:
            Now and then one PNG with what the network takes the pictures to be, three in a row, and where it stands;
            the last is the result, with its recipe and the words that the model was never taught.
        """
        values = (prompt, negative_prompt, strength, count, seed, solver, steps, guidance_scale, engine)
        yield from _edited(task.EditRequest(_brought(picture), *values), store)

    def inpaint(
        picture: Image.Image | None,
        mask: Image.Image | None,
        prompt: str,
        negative_prompt: str,
        strength: float,
        count: int,
        seed: int,
        solver: str,
        steps: int,
        guidance_scale: float,
        engine: str,
    ) -> Iterator[tuple[str | None, Any]]:
        """Paint a part of a picture anew after a prompt; every pixel outside the mask stays as it is.

        Args:
            picture: what is changed; sd-mini takes its square middle at 64x64, another engine all of it, at its size.
            mask: as large as the picture, white where to paint; transparent counts as white. An empty one is refused.
            prompt: what it is to show, in English or Chinese, at most 1,000 characters.
            negative_prompt: what to go away from, at most 1,000 characters.
            strength: 0 gives a copy of the part, 1 keeps nothing of it.
            count: how many, 1 to 64 (of another engine at most 16); picture i is drawn from seed + i.
            seed: 0 to 2^32 - 1.
            solver: ddim, ddpm, dpm++, euler or unipc.
            steps: 1 to 100, of which the last strength x steps are walked.
            guidance_scale: 0 paints after the negative prompt, 1 after the prompt, up to 12 more so.
            engine: sd-mini, or another one of the app that edits; what does not apply to it is left aside.

        Returns:
            As `/edit_image`.
        """
        values = (prompt, negative_prompt, strength, count, seed, solver, steps, guidance_scale, engine)
        yield from _edited(task.InpaintRequest(_brought(picture), *values, mask=_brought(mask)), store)

    asked = {
        "prompt": "a smiling person with glasses", "negative_prompt": "", "strength": 0.6, "count": 1, "seed": 0,
        "solver": "ddim", "steps": 20, "guidance_scale": 3.0, "engine": words.CHECKPOINT,
    }  # fmt: skip
    endpoint(edit_image, {**pictures_in("picture"), **fields(**asked)}, picture_out(), JOB)
    asked["strength"] = 1.0
    endpoint(inpaint, {**pictures_in("picture", "mask"), **fields(**asked)}, picture_out(), JOB)


def _edited(request: task.EditRequest, store: ModelStore) -> Iterator[Any]:
    painter = task.engine_of(request, store)
    reading = store.turn.run("job", partial(words.read, request.prompt, store, painter))
    steps = steps_in_turn(task.run(request, store), store, "job")
    yield from told(steps, reading, views.recipe(request, store), store)


def _brought(picture: Image.Image | None) -> Any:
    return to_tensor(picture) if picture else None  # which its request refuses
