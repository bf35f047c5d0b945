import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from imagegen.data import Pictures
from imagegen.evaluation.distribution import fid, inception_score, kid
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


def test_fid_leaves_the_statistics_and_the_network_alone(
    features: DigitFeatures, real: Tensor, fake: Tensor
) -> None:
    reference = reference_statistics(features.classifier, real)
    before = {key: value.clone() for key, value in (reference | features.state_dict()).items()}
    fid(features, reference, fake)
    after = reference | features.state_dict()
    assert all(after[key].equal(value) and after[key].dtype == value.dtype for key, value in before.items())


def test_fid_is_zero_for_the_same_pictures_and_grows_with_the_damage(
    features: DigitFeatures, real: Tensor
) -> None:
    reference = reference_statistics(features.classifier, real)
    none, some, much = (fid(features, reference, real * (1 - damage)) for damage in (0, 0.2, 0.6))
    assert none == pytest.approx(0, abs=1e-4 * much)
    assert none < some < much


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
    points = torch.randn(4_000, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    same, error = kid(_Points(), points[:2_000], points[2_000:], seed=0)
    other, _ = kid(_Points(), points[:2_000], points[2_000:] + 1, seed=0)
    assert abs(same) < 0.05 < other
    assert 0 < error < 0.05


def test_inception_score_runs_from_one_to_the_number_of_classes() -> None:
    read_out = nn.Sequential(nn.Flatten(), nn.Linear(10, 10, bias=False))
    nn.init.eye_(read_out[1].weight)
    clear = 50 * torch.eye(10).repeat(200, 1).view(-1, 10, 1, 1)
    with torch.no_grad():
        assert inception_score(read_out, clear, seed=0) == pytest.approx(10, abs=0.5)
        assert inception_score(read_out, torch.zeros_like(clear), seed=0) == pytest.approx(1)
        assert inception_score(read_out, clear[:1].repeat(100, 1, 1, 1), seed=0) == pytest.approx(1)


def test_a_seed_repeats_and_the_global_generator_is_left_alone(
    classifier: DigitClassifier, digits: Pictures, real: Tensor, fake: Tensor
) -> None:
    logits = DigitFeatures(classifier, logits=True)
    points = torch.randn(1_500, 2, 1, 1, generator=torch.Generator().manual_seed(0))
    before = torch.get_rng_state()
    assert kid(_Points(), points, points + 1, 5) == kid(_Points(), points, points + 1, 5)
    assert kid(_Points(), points, points + 1, 5) != kid(_Points(), points, points + 1, 6)
    assert inception_score(logits, fake, 5) == inception_score(logits, fake, 5)
    assert inception_score(logits, fake, 5) != inception_score(logits, fake, 6)
    assert torch.get_rng_state().equal(before)
