"""The digit classifier: shapes, and the two faces that torchmetrics sees."""

import torch

from imagegen.models.classifier import DigitClassifier, DigitFeatures


def digits(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_logits_come_from_features() -> None:
    classifier = DigitClassifier(width=2).eval()
    features = classifier.features(digits(3))
    assert features.shape == (3, DigitClassifier.num_features)
    assert features.min() >= 0
    assert torch.equal(classifier(digits(3)), classifier.head(features))
    assert classifier(digits(3)).shape == (3, 10)


def test_a_digit_is_read_the_same_in_any_company() -> None:
    classifier = DigitClassifier(width=2).eval()
    together = classifier(digits(5))
    for i in range(5):
        assert torch.allclose(classifier(digits(5)[i : i + 1])[0], together[i], atol=1e-5)


def test_the_judge_gives_features_or_logits_without_a_gradient() -> None:
    classifier = DigitClassifier(width=2).eval()
    features, logits = DigitFeatures(classifier)(digits(2)), DigitFeatures(classifier, logits=True)(digits(2))
    assert torch.equal(features, classifier.features(digits(2)))
    assert torch.equal(logits, classifier(digits(2)))
    assert not features.requires_grad
    assert not logits.requires_grad
