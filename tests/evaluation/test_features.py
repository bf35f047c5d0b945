"""Pictures as they are saved, and what the judge sees in them."""

import pytest
import torch

from imagegen.data.pictures import Pictures
from imagegen.errors import ImageGenError
from imagegen.evaluation.features import BATCH, as_saved, in_batches, reference_statistics
from imagegen.models.classifier import DigitClassifier


def test_rounding_lands_on_the_256_levels_that_data_are_read_as() -> None:
    between = torch.linspace(-1.2, 1.2, 2 * 784).view(2, 1, 28, 28)
    saved = as_saved(between)
    levels = (torch.arange(256.0) / 127.5 - 1).tolist()
    assert set(saved.flatten().tolist()) == set(levels)
    assert (saved - between.clamp(-1, 1)).abs().max() <= 1.0001 / 255


def test_real_digits_are_not_changed_by_rounding(digits: Pictures) -> None:
    pictures, _ = digits[:20]
    assert as_saved(pictures).equal(pictures)


def test_a_picture_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ImageGenError):
        as_saved(torch.full((1, 1, 28, 28), torch.nan))


def test_batches_change_nothing(classifier: DigitClassifier) -> None:
    pictures = torch.randn(BATCH + 3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        at_once = classifier(pictures)
    torch.testing.assert_close(in_batches(classifier, pictures), at_once)


def test_reference_statistics_give_mean_and_covariance(classifier: DigitClassifier, digits: Pictures) -> None:
    pictures, _ = digits[:60]
    statistics = reference_statistics(classifier, pictures)
    features = classifier.features(pictures).detach().double()
    count = statistics["reference_count"]
    mean = statistics["reference_sum"] / count
    covariance = (statistics["reference_outer"] - count * mean.outer(mean)) / (count - 1)
    torch.testing.assert_close(mean, features.mean(dim=0))
    torch.testing.assert_close(covariance, features.T.cov())
