"""The fast way of style transfer: any size, any mixture, no seams, and what is refused."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from made_up_style import STYLES
from torch import Tensor

from imagegen.errors import CheckpointError, InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.recipes import picture_sha256
from imagegen.store import ModelStore
from imagegen.tasks import style
from imagegen.tasks.registry import TASKS, recipe_of, replay
from imagegen.tasks.style import FAST, OWN, StyleRequest

GREY = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    """Soft random colours of 8 bits, (1, 3, H, W)."""
    rough = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    soft = torch.nn.functional.interpolate(rough, (height, width), mode="bicubic").clamp(-1, 1)
    return to_tensor(to_pictures(soft)[0])


PHOTO = picture(60, 90)


def painted(store: ModelStore, **asked: Any) -> Tensor:
    *_, last = style.run(StyleRequest(**{"photo": PHOTO, "style": STYLES[:1], "size": 96, **asked}), store)
    return last.images


def test_the_named_styles_are_those_that_are_shipped(store: ModelStore) -> None:
    assert style.style_names(store) == STYLES


@pytest.mark.parametrize(("size", "shape"), [(96, (64, 96)), (70, (47, 70)), (200, (133, 200))])
def test_the_longer_side_is_as_asked(size: int, shape: tuple[int, int], store: ModelStore) -> None:
    made = painted(store, size=size)
    assert made.shape == (1, 3, *shape)
    assert made.abs().max() <= 1


def test_a_mixture_lies_between_its_styles(store: ModelStore) -> None:
    one, other = (style.code_of(StyleRequest(PHOTO, style=(name,)), store) for name in STYLES[:2])
    mixed = style.code_of(StyleRequest(PHOTO, style=STYLES[:2], weights=(0.25, 0.75)), store)
    torch.testing.assert_close(mixed, 0.25 * one + 0.75 * other)
    equal = style.code_of(StyleRequest(PHOTO, style=", ".join(STYLES[:2])), store)  # type: ignore[arg-type]
    torch.testing.assert_close(equal, (one + other) / 2)
    assert not torch.allclose(painted(store), painted(store, style=STYLES[1:2]), atol=0.02)


def test_a_style_is_known_in_any_case_and_counts_as_often_as_it_is_named(store: ModelStore) -> None:
    one, other = STYLES[:2]
    twice = style.code_of(StyleRequest(PHOTO, style=(one, one.upper(), other)), store)
    mixed = style.code_of(StyleRequest(PHOTO, style=(one, other), weights=(1, 0.5)), store)
    torch.testing.assert_close(twice, mixed)


def test_without_strength_the_photo_has_its_own_style(store: ModelStore) -> None:
    own = StyleRequest(PHOTO, PHOTO)
    assert own.style == (OWN,)
    without = style.code_of(StyleRequest(PHOTO, style=STYLES[:1], strength=0), store)
    torch.testing.assert_close(without, style.code_of(own, store))
    half = style.code_of(StyleRequest(PHOTO, style=STYLES[:1], strength=0.5), store)
    torch.testing.assert_close(half, (without + store.asset(FAST, STYLES[0])) / 2)


def test_a_painting_that_was_brought_is_a_style_like_any(store: ModelStore) -> None:
    painting = picture(80, 50, seed=3)
    alone = painted(store, style=(), painting=painting)
    assert torch.equal(alone, painted(store, style=(OWN,), painting=painting))
    assert torch.equal(alone, painted(store, style=(OWN.title(),), painting=painting))
    assert not torch.allclose(alone, painted(store, style=(OWN, STYLES[0]), painting=painting), atol=0.01)


def test_kept_colours_leave_only_light_and_dark_to_the_painting(store: ModelStore) -> None:
    photo = 0.5 * PHOTO
    free, kept = (painted(store, photo=photo, keep_colours=keep, size=90) for keep in (False, True))
    painting_light = (free * GREY).sum(1)
    chroma = kept - (kept * GREY).sum(1, keepdim=True)
    inside = (kept.abs().amax(dim=1) < 1)[0]
    torch.testing.assert_close((kept * GREY).sum(1)[0][inside], painting_light[0][inside], atol=1e-4, rtol=0)
    wanted = photo - (photo * GREY).sum(1, keepdim=True)
    torch.testing.assert_close(chroma[0][:, inside], wanted[0][:, inside], atol=1e-4, rtol=0)
    assert inside.float().mean() > 0.2


def test_tiles_leave_no_seams(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles with the moments of the whole are the whole."""
    monkeypatch.setattr(style, "WHOLE", 400)
    request = StyleRequest(PHOTO, style=STYLES[:1], size=400)
    (whole,) = style.run(request, store)
    monkeypatch.setattr(style, "WHOLE", 399)
    monkeypatch.setattr(style, "TILE", 128)
    steps = list(style.run(request, store))
    assert len(steps) == 4 * 3
    assert steps[-1].images.shape == (1, 3, 267, 400)
    difference = (steps[-1].images - whole.images).abs()
    assert difference.mean() < 0.02  # moments of one pixel less
    across = (steps[-1].images.diff(dim=3) - whole.images.diff(dim=3)).abs()
    assert across[..., 127::128].mean() < 1.5 * across.mean() + 1e-4


def test_a_recipe_names_photo_and_painting_and_makes_the_picture_again(store: ModelStore) -> None:
    painting = picture(80, 50, seed=3)
    request = StyleRequest(PHOTO, painting, style=(OWN, STYLES[1]), weights=(1, 0.5), strength=0.8, size=64)
    *_, last = style.run(request, store)
    recipe = recipe_of(TASKS["style"], request, store)
    assert recipe.inputs == tuple(picture_sha256(to_pictures(x)[0]) for x in (PHOTO, painting))
    assert (replay(recipe, store, [PHOTO, painting]) - last.images).abs().max() < 1e-5
    named = recipe_of(TASKS["style"], StyleRequest(PHOTO, style=STYLES[:1]), store)
    assert len(named.inputs) == 1
    with pytest.raises(InputError, match="bring that picture"):
        replay(recipe, store, [PHOTO])


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"photo": None}, "A photo and a painting are needed"),
        ({"photo": PHOTO[:, :1]}, "A photo and a painting are needed"),
        ({"photo": PHOTO * 3}, "values from -1 to 1"),
        ({"photo": torch.full((1, 3, 50, 50), math.nan)}, "values from -1 to 1"),
        ({"photo": PHOTO[..., :1, :]}, "at least 32 pixels wide and high"),
        ({"style": ()}, "Choose a style by name"),
        ({"style": (OWN,)}, "A photo and a painting are needed"),
        ({"style": "Painting"}, "A photo and a painting are needed"),
        ({"style": ("a", "b", "c", "d", "e")}, "style must be a list of at most 4 names"),
        ({"style": 3}, "style must be a list"),
        ({"style": [3]}, "style must be a list"),
        ({"style": ("mona-lisa",)}, "each of style must be one of painting, hokusai"),
        ({"weights": (1, 1)}, "a number from 0 to 1 for each style"),
        ({"weights": (0,)}, "a number from 0 to 1 for each style"),
        ({"weights": (-1,)}, "a number from 0 to 1 for each style"),
        ({"weights": (math.nan,)}, "each of weights must be a number"),
        ({"strength": 1.01}, "strength must be a number from 0 to 1"),
        ({"strength": True}, "strength must be a number"),
        ({"keep_colours": 1}, "keep_colours must be true or false"),
        ({"size": 2049}, "size must be a whole number from 64 to 2048"),
        ({"size": 63}, "size must be a whole number from 64 to 2048"),
    ],
)
def test_what_cannot_be_painted_is_refused(asked: dict[str, Any], reason: str, store: ModelStore) -> None:
    with pytest.raises(InputError, match=reason):
        painted(store, **asked)
    assert painted(store).isfinite().all()


def test_without_the_network_it_says_so(store: ModelStore, tmp_path: Any) -> None:
    with pytest.raises(CheckpointError, match="style-fast"):
        next(style.run(StyleRequest(PHOTO, style=STYLES[:1]), ModelStore(tmp_path, store.device)))


def test_a_request_does_not_change_what_it_was_given(store: ModelStore) -> None:
    before = PHOTO.clone()
    request = StyleRequest(PHOTO, style=STYLES[:1], size=64)
    first, second = (list(style.run(replace(request), store))[-1].images for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(PHOTO, before)
