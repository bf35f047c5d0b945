"""Codes of the autoencoders: drawn, moved, looked at on a map; requests held to their limits."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imagegen.data.faces import ATTRIBUTES
from imagegen.devices import SEEDS, picture_noise
from imagegen.errors import CheckpointError, InputError
from imagegen.models.vae import picture
from imagegen.store import ModelStore
from imagegen.tasks import vae
from imagegen.tasks.registry import TASKS, recipe_of, replay, sample
from imagegen.tasks.vae import DecodeRequest, DigitRequest, FaceRequest, PlaneRequest, VaeRequest, VaeStep

SAME = 1 / 255
REQUESTS = [DigitRequest, PlaneRequest, FaceRequest]
MOVES = [(DigitRequest, "offsets"), (PlaneRequest, "offsets"), (FaceRequest, "offsets"), (FaceRequest, "attributes")]
NO_NUMBERS = [math.nan, math.inf, 1e9, 3.01, -3.01, True, "1", None, [1]]


def draw(store: ModelStore, request: VaeRequest) -> VaeStep:
    (step,) = vae.run(request, store)
    return step


def place(store: ModelStore, **values: Any) -> vae.DecodeStep:
    (step,) = vae.decode(DecodeRequest(**values), store)
    return step


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize("kind", REQUESTS)
def test_pictures_are_their_decoded_codes(kind: type[VaeRequest], store: ModelStore) -> None:
    step = draw(store, kind(count=3, seed=6))
    model = vae.network(kind.checkpoint, store)
    assert step.images.shape == (3, *vae.PICTURES[kind.checkpoint])
    assert step.images.abs().max() <= 1
    assert not step.images.requires_grad
    assert torch.is_grad_enabled()
    assert torch.equal(step.z, picture_noise(6, 3, model.z_dim))
    assert apart(picture(model.decode(step.z)), step.images) <= SAME
    assert (step.index, step.total) == (1, 1)


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("seed", [0, SEEDS - 3])
def test_a_seed_makes_the_same_picture_in_any_batch(kind: type[VaeRequest], seed: int, store: ModelStore) -> None:
    together = draw(store, kind(count=6, seed=seed))
    for i in range(6):
        alone = draw(store, kind(count=1, seed=(seed + i) % SEEDS))
        assert apart(alone.images[0], together.images[i]) <= SAME
    assert apart(together.images[0], together.images[1]) > 10 * SAME


@pytest.mark.parametrize(("kind", "field"), MOVES)
def test_moves_of_0_change_nothing(kind: type[VaeRequest], field: str, store: ModelStore) -> None:
    still, again = draw(store, kind(count=2)), draw(store, kind(count=2, **{field: (0, 0.0)}))
    assert torch.equal(again.images, still.images)
    assert torch.equal(again.z, still.z)


@pytest.mark.parametrize(("kind", "field"), MOVES)
def test_each_slider_moves_every_picture_in_its_own_way(kind: type[VaeRequest], field: str, store: ModelStore) -> None:
    still, first, second = (draw(store, kind(count=2, **{field: by})) for by in ((), (3,), (0, 3)))
    for a, b in ((still, first), (still, second), (first, second)):
        assert min(apart(a.images[i], b.images[i]) for i in range(2)) > SAME


def test_offsets_begin_with_the_latent_of_the_largest_kl(store: ModelStore) -> None:
    moved = draw(store, DigitRequest(count=2, offsets=(1, -2))).z - draw(store, DigitRequest(count=2)).z
    assert torch.allclose(moved, torch.tensor([0.0, 0, -2, 0, 1, 0, 0, 0]), atol=1e-6)


def test_attributes_are_added_along_their_directions(store: ModelStore) -> None:
    amounts = tuple(float(i == ATTRIBUTES.index("Eyeglasses")) * 2 for i in range(len(ATTRIBUTES)))
    moved = draw(store, FaceRequest(count=2, attributes=amounts)).z - draw(store, FaceRequest(count=2)).z
    direction = store.asset(vae.FACES, "directions")[2]
    assert torch.allclose(moved, 2 * direction.expand(2, -1), atol=1e-5)


def test_a_latent_that_is_not_there_cannot_be_moved(store: ModelStore) -> None:
    assert draw(store, PlaneRequest(offsets=(1, 1))).z.shape == (25, 2)
    with pytest.raises(InputError, match="offsets must be a list of at most 2 numbers"):
        draw(store, PlaneRequest(offsets=(1, 1, 1)))


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("count", [0, 65, 10.5, 1e9, True, "10", math.nan, None]),
        ("seed", [-1, 2**32, 10**400, 10.5, True, "10", math.nan, None]),
        ("offsets", [(0,) * 257, 3, None, "12", {"a": 1}, *([value] for value in NO_NUMBERS)]),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(kind: type[VaeRequest], field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=field):
            kind(**{field: value})


@pytest.mark.parametrize("value", [(0,) * 18, 3, None, "12", *([value] for value in NO_NUMBERS)])
def test_attributes_are_held_to_their_limits(value: Any) -> None:
    with pytest.raises(InputError, match="attributes"):
        FaceRequest(attributes=value)


def test_what_comes_from_json_is_taken_as_it_is_meant() -> None:
    request = FaceRequest(count=3.0, seed=5.0, offsets=[1], attributes=[2])  # type: ignore[arg-type]
    assert repr((request.count, request.seed, request.offsets, request.attributes)) == "(3, 5, (1.0,), (2.0,))"


def test_latents_are_ordered_by_what_they_cost(store: ModelStore) -> None:
    latents = vae.latents(vae.DIGITS, store)
    assert latents.order.tolist() == [4, 2, 6, 0, 7, 3, 1, 5]
    assert latents.kl_per_latent.tolist() == pytest.approx([3, 2, 1, 0.5, 0.2, 0.1, 0, 0])
    assert latents.active == 6
    with pytest.raises(CheckpointError, match="holds no kl_per_latent"):
        vae.latents(vae.PLAIN, store)


def test_every_attribute_says_how_well_it_separates(store: ModelStore) -> None:
    separability = vae.separability(store)
    assert tuple(separability) == ATTRIBUTES
    assert separability["Smiling"] == pytest.approx(0.5)
    assert separability["Young"] == pytest.approx(0.98)


@pytest.mark.parametrize("name", vae.PLANES)
def test_a_plane_is_what_ships(name: str, store: ModelStore) -> None:
    plane = vae.plane(name, store)
    assert plane.mu.shape == (30, 2)
    assert plane.labels.tolist() == [*range(10)] * 3
    assert plane.atlas.shape == (4, 4, 28, 28)
    assert plane.atlas.dtype == torch.uint8
    assert torch.equal(plane.atlas_range, store.asset(name, "atlas_range"))


def test_only_a_code_of_two_numbers_has_a_plane(store: ModelStore) -> None:
    with pytest.raises(InputError, match="plane must be one of vae-mnist-2d, ae-mnist-2d"):
        vae.plane(vae.DIGITS, store)


@pytest.mark.parametrize("name", vae.PLANES)
def test_a_place_is_decoded_by_both_at_the_same_share_of_their_maps(name: str, store: ModelStore) -> None:
    step = place(store, z=(0.5, -0.25), plane=name)
    assert torch.allclose(step.z[vae.PLANES.index(name)], torch.tensor([0.5, -0.25]), atol=1e-5)
    shares = []
    for z, image, each in zip(step.z, step.images, vae.PLANES, strict=True):
        assert apart(image, picture(vae.network(each, store).decode(z[None]))[0]) <= SAME
        first, last = store.asset(each, "atlas_range").unbind(dim=1)
        shares.append((z - first) / (last - first))
    assert torch.allclose(shares[0], shares[1], atol=1e-5)
    assert step.images.shape == (2, 1, 28, 28)
    assert not step.images.requires_grad
    assert apart(step.images[0], step.images[1]) > SAME


def test_the_place_on_one_map_leads_back_from_the_other(store: ModelStore) -> None:
    there = place(store, z=[1, 2])
    back = place(store, z=tuple(there.z[1].tolist()), plane=vae.PLAIN)
    assert torch.allclose(back.z, there.z, atol=1e-4)
    assert apart(back.images, there.images) <= SAME


@pytest.mark.parametrize(
    "z", [(), (1,), (1, 2, 3), 1.0, None, "12", {0: 1, 1: 2}, torch.zeros(2), (101, 0), *([0, v] for v in (1e9, *"1x"))]
)
def test_a_place_is_two_numbers_on_the_map(z: Any) -> None:
    with pytest.raises(InputError, match="z must be"):
        DecodeRequest(z=z)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, None, 10**400, [1]])
def test_a_coordinate_is_a_finite_number(value: Any) -> None:
    with pytest.raises(InputError, match="each of z must be a number from -100 to 100"):
        DecodeRequest(z=(0, value))


@pytest.mark.parametrize("plane", ["vae-mnist", "", None, 2, True])
def test_a_place_is_on_one_of_the_planes(plane: Any) -> None:
    with pytest.raises(InputError, match="plane must be one of"):
        DecodeRequest(plane=plane)


def test_a_map_that_is_missing_is_named(checkpoints: Path, tmp_path: Path) -> None:
    (tmp_path / "vae-mnist-2d").symlink_to(checkpoints / "vae-mnist-2d", target_is_directory=True)
    alone = ModelStore(tmp_path, torch.device("cpu"))
    with pytest.raises(CheckpointError, match="no checkpoint 'ae-mnist-2d'"):
        place(alone)
    assert draw(alone, PlaneRequest(count=1)).images.shape == (1, 1, 28, 28)


@pytest.mark.parametrize("kind", REQUESTS)
def test_the_command_line_draws_by_the_name_of_the_checkpoint(kind: type[VaeRequest], store: ModelStore) -> None:
    drawn = list(sample(kind.checkpoint, 4, 3, {"offsets": []}, store))
    assert len(drawn) == 4
    step = draw(store, kind(count=4, seed=3))
    for i, (_, recipe) in enumerate(drawn):
        assert TASKS[recipe.task].request is kind
        assert apart(replay(recipe, store)[0], step.images[i]) <= SAME


def test_a_place_is_made_again_by_its_recipe(store: ModelStore) -> None:
    request = DecodeRequest(z=(0.5, 0.5), plane=vae.PLAIN)
    for index in range(2):
        again = replay(recipe_of(TASKS["vae-place"], request, store, index), store)
        assert apart(again, place(store, z=(0.5, 0.5), plane=vae.PLAIN).images[index : index + 1]) == 0
