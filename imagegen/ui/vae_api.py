"""The VAE tab's named endpoints, for programs: `/vae_decode`, `/vae_encode`, `/vae_interpolate`, `/vae_edit_face`."""

from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from PIL import Image
from torch import Tensor

from imagegen.data.faces import ATTRIBUTES
from imagegen.errors import InputError
from imagegen.images import grid, to_pictures
from imagegen.recipes import to_png
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks import vae as task
from imagegen.tasks import vae_pictures as pictures
from imagegen.tasks.registry import TASKS, recipe_of
from imagegen.ui import vae_views as views
from imagegen.ui.widgets import handed_over, plain_png
from imagegen.ui.wiring import (
    JOB,
    NOTHING,
    Pace,
    Travelling,
    endpoint,
    fields,
    last_step,
    picture_out,
    pictures_in,
    steps_in_turn,
)

__all__ = ["add_endpoints"]


def add_endpoints(store: ModelStore) -> None:
    """Add all to the page's API; `/vae_edit_face` where there are faces."""
    models = views.models(store)

    def fitted(picture: Image.Image | None, seed: Any, checkpoint: str) -> Tensor | int:
        return views.fitted(Travelling(picture) if picture else checks.seed(seed), checkpoint)

    def vae_decode(z: list[float], plane: str) -> tuple[str | None, Any]:
        """Decode one place of the two maps of digits.

        Args:
            z: its two coordinates, -100 to 100.
            plane: the map that they are on, vae-mnist-2d or ae-mnist-2d.

        Returns:
            One PNG with the digit of the VAE and, at the same share of its map, that of the plain autoencoder, and
            the place on either map.
        """
        request = task.DecodeRequest(z, plane)  # type: ignore[arg-type]  # checked there
        step = last_step(task.decode(request, store), store)
        recipe = recipe_of(TASKS["vae-place"], request, store)
        about = {"z": dict(zip(task.PLANES, step.z.tolist(), strict=True)), "recipe": asdict(recipe)}
        return handed_over(to_png(grid(to_pictures(step.images), 2, gap=0), recipe), "digits.png", about)

    def vae_encode(picture: Image.Image | None, checkpoint: str, seed: int) -> tuple[str | None, Any]:
        """Squeeze a picture through the code.

        Args:
            picture: any; a digit is cut out and centred as MNIST was made, of a face the square middle is taken.
            checkpoint: vae-mnist, vae-mnist-2d, ae-mnist-2d or vae-celeba.
            seed: of the samples, 0 to 2^32 - 1.

        Returns:
            One PNG with the picture, its reconstruction and ten samples of q(z | x), and mu, sigma and the ELBO in
            its parts, in nats; of the plain autoencoder only the picture, its reconstruction and mu.
        """
        name = checks.choice("checkpoint", checkpoint, [*models, task.PLAIN])
        if picture is None:
            raise InputError("There is no picture yet; draw one, upload one or make one first.")
        request = pictures.EncodeRequest(views.drawn(Travelling(picture), name, store), name, seed)
        found = store.turn.run("live", lambda: pictures.encode(request, store))
        sheet = to_pictures(request.picture) + to_pictures(found.images)
        about: dict[str, Any] = {"mu": found.mu.tolist()}
        if posterior := found.posterior:
            sheet += to_pictures(posterior.samples)
            about |= {
                "sigma": posterior.sigma.tolist(),
                "log_likelihood": posterior.log_likelihood,
                "kl_per_latent": posterior.kl_per_latent.tolist(),
                "elbo": posterior.elbo,
            }
        return handed_over(plain_png(grid(sheet, len(sheet), gap=0)), "encoding.png", about)

    def vae_interpolate(
        start_picture: Image.Image | None,
        end_picture: Image.Image | None,
        start_seed: int,
        end_seed: int,
        checkpoint: str,
        path: str,
        frames: int,
    ) -> Iterator[tuple[str | None, Any]]:
        """Go from one picture to another through the code.

        Args:
            start_picture: where to begin, or nothing to begin at the sample of start_seed.
            end_picture: where to end, or nothing to end at the sample of end_seed.
            start_seed: 0 to 2^32 - 1.
            end_seed: 0 to 2^32 - 1.
            checkpoint: vae-mnist, vae-mnist-2d or vae-celeba.
            path: straight or spherical.
            frames: pictures on the way, both ends included, 2 to 60.

        Returns:
            Now and then one PNG with the frames so far above, and below them the same two pictures blended pixel by
            pixel, and where it stands; the last is the whole way.
        """
        name = checks.choice("checkpoint", checkpoint, models)
        start, end = fitted(start_picture, start_seed, name), fitted(end_picture, end_seed, name)
        request = pictures.InterpolateRequest(start, end, name, path, frames)
        pace = Pace()
        for step in steps_in_turn(pictures.interpolate(request, store), store, "job"):
            if not (pace.due() or step.index == step.total):
                yield NOTHING
            else:
                frames_so_far = store.turn.run("job", partial(to_pictures, step.images))
                sheet = grid(frames_so_far + to_pictures(step.blend), step.index, gap=0)
                yield handed_over(plain_png(sheet), "way.png", {"frame": step.index, "of": step.total})

    def vae_edit_face(
        picture: Image.Image | None, seed: int, attributes: dict[str, float], offsets: list[float]
    ) -> tuple[str | None, Any]:
        """Add a smile, glasses and the like to a face.

        Args:
            picture: a face, of which the square middle is taken, or nothing for the sample of seed.
            seed: 0 to 2^32 - 1.
            attributes: CelebA's names and amounts in standard deviations, -3 to 3, such as {"Smiling": 2}; or the
                amounts alone, in the model's order.
            offsets: added to the latents, the one with the largest KL first, in standard deviations, -3 to 3.

        Returns:
            One PNG of 64x64 pixels, with its recipe if it is a sample, and its code.
        """
        amounts: Any = attributes
        if isinstance(attributes, dict):
            named = {checks.choice("attribute", name, ATTRIBUTES): amount for name, amount in attributes.items()}
            amounts = tuple(named.get(name, 0) for name in ATTRIBUTES)
        wanted = task.FaceRequest(count=1, seed=seed, offsets=offsets, attributes=amounts)  # type: ignore[arg-type]
        if picture is None:
            recipe = recipe_of(TASKS["vae-faces"], wanted, store)
            step = last_step(task.run(wanted, store), store)
            about = {"z": step.z[0].tolist(), "recipe": asdict(recipe)}
            return handed_over(to_png(to_pictures(step.images)[0], recipe), "face.png", about)
        request = pictures.EditRequest(views.drawn(Travelling(picture), task.FACES, store), wanted)
        step = store.turn.run("live", lambda: pictures.edit(request, store))
        return handed_over(plain_png(to_pictures(step.images)[0]), "face.png", {"z": step.z[0].tolist()})

    endpoint(vae_decode, fields(z=[0, 0], plane=task.PLANE), picture_out())
    endpoint(vae_encode, {**pictures_in("picture"), **fields(checkpoint=task.DIGITS, seed=0)}, picture_out())
    rest = fields(start_seed=0, end_seed=1, checkpoint=task.DIGITS, path="straight", frames=12)
    endpoint(vae_interpolate, {**pictures_in("start_picture", "end_picture"), **rest}, picture_out(), JOB)
    if task.FACES in models:
        values = fields(seed=0, attributes={}, offsets=[])
        endpoint(vae_edit_face, {**pictures_in("picture"), **values}, picture_out())
