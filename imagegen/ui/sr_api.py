"""The super-resolution tab's named endpoint, for programs: `/upscale`."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from PIL import Image

from imagegen.errors import InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.recipes import to_png
from imagegen.store import ModelStore
from imagegen.tasks import checks, sr_truth
from imagegen.tasks import sr as task
from imagegen.tasks.registry import recipe_of, task_of
from imagegen.ui import sr_views as views
from imagegen.ui.widgets import handed_over
from imagegen.ui.wiring import JOB, NOTHING, endpoint, fields, picture_out, pictures_in, steps_in_turn

__all__ = ["add_endpoints"]


def add_endpoints(store: ModelStore) -> None:
    """Add it to the page's API."""
    names = [name for name in views.models(store) if name != task.PLEASING]

    def asked(picture: Image.Image, model: str, pleasing: float) -> task.UpscaleRequest:
        share = checks.number("pleasing", pleasing, 0, 1)
        if checks.choice("model", model, names) == task.REAL:
            if share:
                raise InputError("{name} cannot be mixed with another network; set pleasing to 0.", name=task.REAL)
            return task.RealRequest(to_tensor(picture))
        return task.PleasingRequest(to_tensor(picture), share) if share else task.UpscaleRequest(to_tensor(picture))

    def upscale(
        picture: Image.Image | None, model: str, pleasing: float, shrink_first: bool
    ) -> Iterator[tuple[str | None, Any]]:
        """Make a picture four times as large, width and height.

        Args:
            picture: at most 512x512 pixels in all and 4096 a side; with shrink_first at most 2048x2048 in all.
            model: sr-x4, or sr-x4-real for photos with blur, noise or JPEG artefacts.
            pleasing: 0 for the smallest error, 1 for detail that looks real but is invented; between, a mixture.
            shrink_first: make the picture a quarter of its size first, and then hold the result against it.

        Returns:
            The picture as PNG, and its width, height and recipe; how near it comes to what went in when it is made
            small again (PSNR in dB); with shrink_first also PSNR, SSIM and perceptual distance to the true picture.
        """
        if picture is None:
            raise InputError("There is no picture yet; draw one, upload one or make one first.")
        truth, low_res = None, picture
        if checks.flag("shrink_first", shrink_first):
            truth, low_res = sr_truth.made_small(picture)
        request = asked(low_res, model, pleasing)
        for step in steps_in_turn(task.run(request, store), store, "job"):
            images = step.images
            yield NOTHING
        (result,) = to_pictures(images)
        recipe = recipe_of(task_of(request), request, store)
        about: dict[str, Any] = {"width": result.width, "height": result.height, "recipe": asdict(recipe)}
        about["psnr_made_small_again"] = views.finite(sr_truth.given_back(result, low_res))
        if truth is not None:
            for judged in steps_in_turn(sr_truth.judge(truth, [result], store), store, "job"):
                verdicts = judged.verdicts
                yield NOTHING
            (verdict,) = verdicts
            about |= {"psnr": views.finite(verdict.psnr), "ssim": verdict.ssim, "distance": verdict.distance}
        yield handed_over(to_png(result, recipe), "picture.png", about)

    values = fields(model=task.FAITHFUL, pleasing=0, shrink_first=False)
    endpoint(upscale, {**pictures_in("picture"), **values}, picture_out("picture"), JOB)
