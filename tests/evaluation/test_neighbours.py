"""Precision and recall by nearest neighbours, held to distributions whose answer is known."""

import pytest
import torch
from torch import Tensor

from imagegen.evaluation.neighbours import ROWS, precision_recall


def gaussian(count: int, dimensions: int, seed: int) -> Tensor:
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("k", [1, 3])
def test_equal_distributions_on_a_line_give_the_known_value(k: int) -> None:
    """The left misses a point when k more points lie between its first left neighbour and twice as far.

    Distances are a Poisson process, so that has probability 2^-k, and both sides miss it with 4^-k.
    """
    precision, recall = precision_recall(gaussian(4_000, 1, 0), gaussian(4_000, 1, 1), k)
    assert precision == pytest.approx(1 - 4**-k, abs=0.03)
    assert recall == pytest.approx(1 - 4**-k, abs=0.03)


def test_far_away_nothing_is_shared() -> None:
    assert precision_recall(gaussian(500, 8, 0), gaussian(500, 8, 1) + 50) == (0, 0)


def test_narrower_is_precise_and_forgets() -> None:
    precision, recall = precision_recall(gaussian(1_000, 8, 0), 0.3 * gaussian(1_000, 8, 1))
    assert precision > 0.95
    assert recall < 0.1


def test_wider_covers_and_is_imprecise() -> None:
    precision, recall = precision_recall(0.3 * gaussian(1_000, 8, 0), gaussian(1_000, 8, 1))
    assert precision < 0.1
    assert recall > 0.95


def test_rows_at_a_time_give_the_whole_matrix() -> None:
    real, fake = gaussian(ROWS + 200, 4, 0), gaussian(ROWS + 300, 4, 1) + 0.5
    distances = torch.cdist(real, real).sort(dim=1).values
    balls = distances[:, 3]
    expected = (torch.cdist(fake, real) <= balls).any(dim=1).double().mean().item()
    assert precision_recall(real, fake)[0] == pytest.approx(expected, abs=1e-3)
