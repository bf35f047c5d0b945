"""The five anchors of digits: real ones, as they are and spoilt in known ways."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.data.pictures import Pictures
from imagegen.evaluation.anchors import ROTATED, digit_anchors
from imagegen.evaluation.features import as_saved


@pytest.fixture(scope="module")
def blobs() -> Pictures:
    """600 different smooth blobs with black borders, of all labels in turn."""
    coarse = torch.rand(600, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    pixels = F.pad(F.interpolate(coarse, size=20, mode="bilinear"), (4, 4, 4, 4)).mul(255).to(torch.uint8)
    return Pictures(pixels, torch.arange(600) % 10)


@pytest.fixture(scope="module")
def anchors(blobs: Pictures) -> dict[str, Tensor]:
    return digit_anchors(blobs, count=200, seed=0)


def labels_of(pictures: Tensor, source: Pictures) -> Tensor:
    """The labels of unchanged pictures, found by their pixels."""
    everything, labels = source[:]
    distance = torch.cdist(pictures.flatten(1), everything.flatten(1), p=1)
    assert (distance.min(dim=1).values == 0).all()
    return labels[distance.argmin(dim=1)]


def test_all_five_are_8_bit_pictures_of_one_size(anchors: dict[str, Tensor]) -> None:
    assert len(anchors) == 5
    for pictures in anchors.values():
        assert pictures.shape == (200, 1, 28, 28)
        assert as_saved(pictures).equal(pictures)


def test_a_seed_chooses(blobs: Pictures, anchors: dict[str, Tensor]) -> None:
    again, other = digit_anchors(blobs, 200, seed=0), digit_anchors(blobs, 200, seed=1)
    for name, pictures in anchors.items():
        assert again[name].equal(pictures)
        assert not other[name].equal(pictures)


def test_no_digit_is_chosen_twice(anchors: dict[str, Tensor]) -> None:
    assert len(anchors["as they are"].unique(dim=0)) == 200
    assert len(anchors["3 % more ones"].unique(dim=0)) == 200


def test_shifted_by_one_pixel_in_four_directions(anchors: dict[str, Tensor]) -> None:
    real, shifted = anchors["as they are"], anchors["shifted 1 px"]
    moves = [(-1, 0), (1, 0), (0, -1), (0, 1)]
    matches = torch.stack([(real.roll(move, (2, 3)) == shifted).all(dim=(1, 2, 3)) for move in moves])
    assert matches.sum(dim=0).eq(1).all()
    assert matches.sum(dim=1).min() > 30


def test_rotation_is_small_differs_and_keeps_the_corners_black(anchors: dict[str, Tensor]) -> None:
    real, rotated = anchors["as they are"], anchors[ROTATED]
    change = (rotated - real).abs().mean(dim=(1, 2, 3))
    assert 0 < change.median() < 0.1
    assert rotated[:, :, 0, 0].eq(-1).all()


def test_rotation_turns_by_at_most_four_and_a_half_degrees() -> None:
    """A bar to the right of the centre moves up or down by the sine of the angle."""
    pixels = torch.zeros(400, 1, 28, 28, dtype=torch.uint8)
    pixels[:, :, 13:15, 22:26] = 255
    rotated = digit_anchors(Pictures(pixels, torch.arange(400) % 10), 200, seed=0)[ROTATED]
    ink = (rotated + 1)[:, 0, :, 14:]
    row, column = torch.arange(28.0) - 13.5, torch.arange(14.0) + 0.5
    mass = ink.sum(dim=(1, 2))
    down, across = (ink.sum(dim=2) @ row) / mass, (ink.sum(dim=1) @ column) / mass
    degrees = torch.atan2(down, across).rad2deg()
    assert 4.0 < degrees.abs().max() < 4.6
    assert degrees.mean().abs() < 1
    assert degrees.std() == pytest.approx(4.5 / 3**0.5, rel=0.15)


def test_blur_keeps_the_light_and_softens_the_edges(anchors: dict[str, Tensor]) -> None:
    real, blurred = anchors["as they are"] + 1, anchors["blurred 0.5"] + 1
    torch.testing.assert_close(blurred.sum(dim=(1, 2, 3)), real.sum(dim=(1, 2, 3)), rtol=0.01, atol=0)
    assert (blurred.diff(dim=3).abs().amax(dim=(1, 2, 3)) < real.diff(dim=3).abs().amax(dim=(1, 2, 3))).all()


def test_three_percent_of_the_set_become_ones(blobs: Pictures, anchors: dict[str, Tensor]) -> None:
    before = labels_of(anchors["as they are"], blobs).bincount(minlength=10)
    after = labels_of(anchors["3 % more ones"], blobs).bincount(minlength=10)
    assert after[1] - before[1] == 6
    assert (after[[0, *range(2, 10)]] <= before[[0, *range(2, 10)]]).all()
