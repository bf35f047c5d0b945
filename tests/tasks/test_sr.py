"""Super-resolution: tiles are as the whole, mixtures are exact, requests are held to their limits."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from imagegen.errors import CheckpointError, ImageGenError, InputError
from imagegen.images import to_pictures
from imagegen.models.sr import upscale
from imagegen.store import ModelStore
from imagegen.tasks import sr
from imagegen.tasks.sr import FAITHFUL, PLEASING, REAL, PleasingRequest, RealRequest, UpscaleRequest

SAME = 1 / 255


def picture(height: int = 20, width: int = 30) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1


def result(request: UpscaleRequest, store: ModelStore) -> Tensor:
    *_, last = sr.run(request, store)
    return last.images


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize("request_", [UpscaleRequest, PleasingRequest, RealRequest])
def test_tiles_are_as_the_whole_picture(request_: type[UpscaleRequest], store: ModelStore) -> None:
    x = picture(150, 260)
    steps = list(sr.run(request_(x), store))
    assert [(step.index, step.total) for step in steps] == [(i, 6) for i in range(1, 7)]
    whole = upscale(store.get(request_.checkpoint), x)
    assert steps[-1].images.shape == (1, 3, 600, 1040)
    assert apart(steps[-1].images, whole) <= SAME / 10
    assert steps[-1].images.abs().max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (4096, 1), (2, 3)])
def test_the_smallest_and_longest_pictures_work(size: tuple[int, int], store: ModelStore) -> None:
    images = result(UpscaleRequest(picture(*size)), store)
    assert images.shape == (1, 3, 4 * size[0], 4 * size[1])
    assert apart(images, upscale(store.get(FAITHFUL), picture(*size))) <= SAME / 10


def test_a_mixture_lies_between_both(store: ModelStore) -> None:
    x = picture()
    faithful, pleasing = (upscale(store.get(name), x) for name in (FAITHFUL, PLEASING))
    assert apart(faithful, pleasing) > 20 * SAME
    for share in (0, 0.3, 1):
        assert apart(result(PleasingRequest(x, share), store), torch.lerp(faithful, pleasing, share)) <= SAME / 10
    assert apart(result(RealRequest(x), store), faithful) > SAME


def test_only_networks_with_a_share_are_asked(store: ModelStore) -> None:
    assert UpscaleRequest(picture()).shares() == {FAITHFUL: 1}
    assert RealRequest(picture()).shares() == {REAL: 1}
    assert PleasingRequest(picture(), 0).shares() == {FAITHFUL: 1}
    assert PleasingRequest(picture(), 0.25).shares() == {FAITHFUL: 0.75, PLEASING: 0.25}
    assert PleasingRequest(picture()).shares() == {PLEASING: 1}


def test_several_networks_at_once_give_what_each_gives(store: ModelStore) -> None:
    *_, last = sr.enlarge(picture(), (FAITHFUL, PLEASING), store)
    assert last.images.shape == (2, 3, 80, 120)
    for name, images in zip((FAITHFUL, PLEASING), last.images, strict=True):
        assert apart(images, upscale(store.get(name), picture())[0]) <= SAME / 10


def test_it_stops_after_any_tile(store: ModelStore) -> None:
    calls: list[int] = []
    hook = store.get(FAITHFUL).register_forward_hook(lambda _, __, output: calls.append(len(output)))
    steps = sr.run(UpscaleRequest(picture(150, 260)), store)
    next(steps)
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    hook.remove()
    assert len(calls) == 2
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "picture",
        picture()[0],
        picture()[:, :1],
        picture().double(),
        picture().repeat(2, 1, 1, 1),
        picture() + 1,
        picture() * math.nan,
    ],
)
def test_what_is_no_picture_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="There is no picture yet"):
        UpscaleRequest(value)


@pytest.mark.parametrize("size", [(513, 512), (512, 513), (1, 4097), (4000, 100)])
def test_a_picture_that_is_too_large_is_refused_with_the_limits(size: tuple[int, int], store: ModelStore) -> None:
    reason = f"512×512 pixels in all and 4096 a side; this one has {size[1]}×{size[0]}. Make it smaller"
    with pytest.raises(InputError, match=reason):
        UpscaleRequest(torch.zeros(1, 3, *size))
    with pytest.raises(InputError, match=reason):
        sr.enlarge(torch.zeros(1, 3, *size), (FAITHFUL,), store)
    assert UpscaleRequest(torch.zeros(1, 3, 512, 512))


@pytest.mark.parametrize("pleasing", [-0.1, 1.1, math.nan, math.inf, True, "1", None, [0.5]])
def test_a_share_is_a_number_from_0_to_1(pleasing: Any) -> None:
    with pytest.raises(InputError, match="pleasing must be a number from 0 to 1"):
        PleasingRequest(picture(), pleasing)


def test_a_network_that_is_missing_is_named(store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = ModelStore(tmp_path_factory.mktemp("empty"), torch.device("cpu"))
    with pytest.raises(CheckpointError, match="no checkpoint 'srgan-x4'"):
        next(sr.run(PleasingRequest(picture()), empty))


def test_values_that_are_no_numbers_never_become_a_picture(store: ModelStore) -> None:
    hook = store.get(REAL).register_forward_hook(lambda _, __, output: output * math.nan)
    images = result(RealRequest(picture()), store)
    hook.remove()
    with pytest.raises(ImageGenError, match="not finite"):
        to_pictures(images)
