"""Tiles: as the whole picture, in the memory of one tile, stopped after any of them."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.tasks.tiles import TILE, in_tiles

REACH = 3
SAME = 1e-5


@pytest.fixture
def network() -> nn.Module:
    """Doubles a picture; a pixel changes what lies up to three pixels away, and borders are filled with zeros."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        layers = (
            nn.Conv2d(3, 8, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.Conv2d(8, 12, 3, padding=1),
        )
        return nn.Sequential(*layers, nn.PixelShuffle(2))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (16, 16), (17, 33), (40, 23)])
def test_tiles_make_up_the_whole(size: tuple[int, int], network: nn.Module) -> None:
    picture = torch.rand(1, 3, *size) * 2 - 1
    *_, last = in_tiles(network, picture, REACH, side=16)
    assert last.index == last.total == -(-size[0] // 16) * -(-size[1] // 16)
    assert last.images.shape == (1, 3, 2 * size[0], 2 * size[1])
    assert (last.images - network(picture)).abs().max() <= SAME
    assert not last.images.requires_grad


def test_too_little_context_shows_seams(network: nn.Module) -> None:
    picture = torch.rand(1, 3, 32, 32)
    *_, last = in_tiles(network, picture, REACH - 1, side=16)
    assert (last.images - network(picture)).abs().max() > 100 * SAME


def test_a_network_with_strides_sees_tiles_on_its_own_grid() -> None:
    picture = torch.rand(1, 3, 40, 56)

    def coarse(x: Tensor) -> Tensor:
        small = F.pad(F.avg_pool2d(x, 4), (1, 1, 1, 1), mode="replicate")
        return F.interpolate(F.avg_pool2d(small, 3, stride=1), scale_factor=4.0)

    *_, last = in_tiles(coarse, picture, context=4, side=16)
    assert (last.images - coarse(picture)).abs().max() <= SAME


def test_each_step_fills_its_box_and_nothing_else(network: nn.Module) -> None:
    picture = torch.rand(1, 3, 20, 36)
    whole = network(picture).detach()
    filled = torch.zeros(40, 72, dtype=torch.bool)
    for step in in_tiles(network, picture, REACH, side=16):
        left, top, right, bottom = step.box
        assert not filled[top:bottom, left:right].any()
        filled[top:bottom, left:right] = True
        assert torch.equal(step.images != 0, filled.expand_as(step.images))
        assert (step.tile - whole[..., top:bottom, left:right]).abs().max() <= SAME
    assert filled.all()


def test_the_network_never_sees_more_than_a_tile_and_its_context() -> None:
    seen = []

    def noted(x: Tensor) -> Tensor:
        seen.append(tuple(x.shape[-2:]))
        return x.repeat(2, 1, 1, 1)

    steps = in_tiles(noted, torch.rand(1, 3, 500, 2 * TILE), context=5)
    assert next(steps).images.shape == (2, 3, 500, 2 * TILE)  # of several pictures at once
    assert len(seen) == 1  # stopped here, nothing more is computed
    assert torch.is_grad_enabled()
    assert len(list(steps)) == 7
    assert max(map(max, seen)) <= TILE + 10
