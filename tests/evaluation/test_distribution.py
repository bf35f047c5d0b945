"""FID, KID and IS: equal to the formulas, and growing with the damage."""

import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from imagegen.data.pictures import Pictures
from imagegen.evaluation.distribution import fid, fid_from, inception_score, kid
from imagegen.evaluation.features import reference_statistics
from imagegen.models.classifier import DigitClassifier, DigitFeatures


@pytest.fixture
def features(classifier: DigitClassifier) -> DigitFeatures:
    return DigitFeatures(classifier)


@pytest.fixture
def real(digits: Pictures) -> Tensor:
    return digits[:120][0]


@pytest.fixture
def fake(digits: Pictures) -> Tensor:
    return digits[120:250][0] * 0.8


def test_fid_from_the_statistics_equals_fid_from_the_pictures(
    features: DigitFeatures, real: Tensor, fake: Tensor
) -> None:
    metric = FrechetInceptionDistance(feature=features)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    reference = reference_statistics(features.classifier, real)
    assert fid(features, reference, fake) == pytest.approx(metric.compute().item(), rel=1e-5)


def test_fid_leaves_the_statistics_and_the_network_alone(features: DigitFeatures, real: Tensor, fake: Tensor) -> None:
    reference = reference_statistics(features.classifier, real)
    before = {key: value.clone() for key, value in (reference | features.state_dict()).items()}
    fid(features, reference, fake)
    after = reference | features.state_dict()
    assert all(after[key].equal(value) and after[key].dtype == value.dtype for key, value in before.items())


def test_fid_is_zero_for_the_same_pictures_and_grows_with_the_damage(features: DigitFeatures, real: Tensor) -> None:
    reference = reference_statistics(features.classifier, real)
    none, some, much = (fid(features, reference, real * (1 - damage)) for damage in (0, 0.2, 0.6))
    assert none == pytest.approx(0, abs=1e-4 * much)
    assert none < some < much


def test_fid_of_one_set_after_the_other_equals_fid_of_each(features: DigitFeatures, real: Tensor, fake: Tensor) -> None:
    distance, reference = fid_from(features, real), reference_statistics(features.classifier, real)
    for pictures in (fake, real * 0.5, fake):
        assert distance(pictures) == pytest.approx(fid(features, reference, pictures), rel=1e-5)


class _Points(nn.Module):
    """Pictures of 1 x 1 pixels with a channel for each feature."""

    num_features = 2

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.flatten(1)


def test_fid_of_gaussians_is_the_closed_form() -> None:
    points = torch.randn(50_000, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    flat = points.flatten(1).double()
    reference = {
        "reference_sum": flat.sum(dim=0),
        "reference_outer": flat.T @ flat,
        "reference_count": torch.tensor(len(flat)),
    }
    # |mean difference|² + Σ (σ₁ - σ₂)², of two axes
    assert fid(_Points(), reference, 2 * points + 3) == pytest.approx(2 * 9 + 2 * 1, rel=0.02)


def test_kid_tells_equal_distributions_from_unequal_ones() -> None:
    points = torch.randn(800, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    same, error = kid(_Points(), points[:400], points[400:], seed=0)
    other, _ = kid(_Points(), points[:400], points[400:] + 1, seed=0)
    assert abs(same) < 0.2 < other
    assert 0 <= error < 0.2


def _clear(count: int) -> Tensor:
    """Pictures that a `_Points` reads as classes 0 to 9 in turn, without doubt."""
    return 50 * torch.eye(10).repeat(count // 10, 1).view(-1, 10, 1, 1)


def test_inception_score_runs_from_one_to_the_number_of_classes() -> None:
    clear = _clear(2_000)
    assert inception_score(_Points(), clear, seed=0) == pytest.approx(10, abs=0.5)
    assert inception_score(_Points(), torch.zeros_like(clear), seed=0) == pytest.approx(1)
    assert inception_score(_Points(), clear[:1].expand_as(clear), seed=0) == pytest.approx(1)


def test_a_seed_repeats_and_the_global_generator_is_left_alone() -> None:
    points = torch.randn(1_100, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    clear = _clear(200)
    before = torch.get_rng_state()
    first, again, other = (kid(_Points(), points, points + 1, seed) for seed in (5, 5, 6))
    assert first == again != other
    first_score, same_score, other_score = (inception_score(_Points(), clear, seed) for seed in (5, 5, 6))
    assert first_score == same_score != other_score
    assert torch.get_rng_state().equal(before)
