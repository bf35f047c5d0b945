"""The style tab's named endpoints, for programs: `/stylize` and `/stylize_slow`."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from PIL import Image

from imagegen.errors import InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.recipes import to_png
from imagegen.store import ModelStore
from imagegen.tasks import style as task
from imagegen.tasks import style_slow as slow
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui.style_views import after, slow_recipe
from imagegen.ui.widgets import handed_over
from imagegen.ui.wiring import JOB, NOTHING, Pace, endpoint, fields, picture_out, pictures_in, steps_in_turn

__all__ = ["add_endpoints"]


def add_endpoints(store: ModelStore) -> None:
    """Add both to the page's API; without `style-fast` only the slow one."""

    def stylize(
        photo: Image.Image | None,
        painting: Image.Image | None,
        style: Any,
        weights: Any,
        strength: float,
        keep_colours: bool,
        size: int,
    ) -> Iterator[tuple[str | None, Any]]:
        """Paint a photo in one to four styles, in one pass.

        Args:
            photo: what is painted.
            painting: where a style may be taken from; in `style` it is called painting.
            style: up to four names, such as ["van-gogh-starry-night-1889"]; none is the painting's.
            weights: of each style in the mixture, 0 to 1; none are equal weights.
            strength: 0 to 1, from the photo's own style to the one asked for.
            keep_colours: whether only light and dark are painted.
            size: longer side of the result, 64 to 2048 pixels.

        Returns:
            One PNG with its recipe, and the recipe.
        """
        brought = to_tensor(painting) if painting else None
        values = {"strength": strength, "keep_colours": keep_colours, "size": size}
        request = task.StyleRequest(_brought(photo), brought, style or (), weights or (), **values)  # type: ignore[arg-type]
        for step in steps_in_turn(task.run(request, store), store, "job"):
            if step.index < step.total:
                yield NOTHING
        recipe = recipe_of(TASKS["style"], request, store)
        picture = to_pictures(step.images)[0]
        yield handed_over(to_png(picture, recipe), "painted.png", {"recipe": asdict(recipe)})

    def stylize_slow(
        photo: Image.Image | None,
        painting: Image.Image | None,
        picture: Image.Image | None,
        features: str,
        pooling: str,
        size: int,
        iterations: int,
        optimizer: str,
        start: str,
        content_layer: str,
        content_weight: float,
        style_weight: float,
        layer_weights: Any,
        smoothness: float,
        seed: int,
    ) -> Iterator[tuple[str | None, Any]]:
        """Paint a photo by changing its pixels until the features fit (Gatys et al. 2016).

        Args:
            photo: gives the content.
            painting: gives the style.
            picture: where to begin, if start is picture.
            features: style-features, or vgg-19 where its weights are on the server's disk.
            pooling: average or maximum, of vgg-19.
            size: longer side, 64 to 512 pixels.
            iterations: 1 to 1000.
            optimizer: lbfgs or adam.
            start: photo, noise or picture.
            content_layer: relu1_1, relu2_1, relu3_1, relu4_1, relu4_2 or relu5_1.
            content_weight: 0 to 100.
            style_weight: 0 to 10000.
            layer_weights: of the style of relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1, 0 to 10 each.
            smoothness: weight of the total variation, 0 to 100.
            seed: of the noise, 0 to 2^32 - 1.

        Returns:
            Now and then a PNG with its recipe, and the losses by layer; the last is the result.
        """
        pictures = [_brought(photo), _brought(painting), to_tensor(picture) if picture else None]
        values = {
            "features": features, "pooling": pooling, "size": size, "iterations": iterations, "optimizer": optimizer,
            "start": start, "content_layer": content_layer, "content_weight": content_weight,
            "style_weight": style_weight, "layer_weights": layer_weights, "smoothness": smoothness, "seed": seed,
        }  # fmt: skip
        request = slow.SlowRequest(*pictures, **values)
        recipe, pace = slow_recipe(request, store), Pace()
        for step in steps_in_turn(slow.run(request, store), store, "job"):
            if not (pace.due() or step.index == step.total):
                yield NOTHING
                continue
            made = after(recipe, step)
            assert made.recipe
            about = {
                "iteration": step.index, "of": step.total, "content": step.content, "style": step.style,
                "recipe": asdict(made.recipe),
            }  # fmt: skip
            yield handed_over(to_png(made.picture, made.recipe), "painted.png", about)

    if task.FAST in store.names():
        fast = {"style": [], "weights": [], "strength": 1, "keep_colours": False, "size": task.WHOLE}
        endpoint(stylize, {**pictures_in("photo", "painting"), **fields(**fast)}, picture_out("painted"), JOB)
    values = {
        "features": slow.FEATURES, "pooling": "average", "size": 256, "iterations": 100, "optimizer": "lbfgs",
        "start": "photo", "content_layer": "relu4_2", "content_weight": 1, "style_weight": 100,
        "layer_weights": [1, 1, 1, 1, 1], "smoothness": 3, "seed": 0,
    }  # fmt: skip
    endpoint(
        stylize_slow, {**pictures_in("photo", "painting", "picture"), **fields(**values)}, picture_out("painted"), JOB
    )


def _brought(picture: Image.Image | None) -> Any:
    if picture is None:
        raise InputError("A photo and a painting are needed; choose an example, or upload one.")
    return to_tensor(picture)
