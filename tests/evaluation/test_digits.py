import math
from pathlib import Path

import pytest
import torch

from imagegen.checkpoints import ModelStore
from imagegen.data import mnist
from imagegen.evaluation.digits import (
    digit_figures,
    evaluate_classifier,
    evaluate_discriminator,
    evaluate_gan,
)


def test_classifier_figures(store: ModelStore, data_root: Path) -> None:
    figures = evaluate_classifier(store, "digit-classifier", data_root, count=100)
    pictures, labels = mnist(data_root, "test")[:]
    read = store.get("digit-classifier")(pictures).argmax(dim=1)
    assert figures["test accuracy"]["value"] == pytest.approx((read == labels).float().mean().item())
    assert sum(name.startswith("FID of real digits") for name in figures) == 5
    assert figures["FID of real digits rotated ±4.5°"]["value"] > 0


def test_gan_figures_are_finite_and_repeat(store: ModelStore, data_root: Path) -> None:
    figures = evaluate_gan(store, "gan-mnist", data_root, count=100)
    assert all(math.isfinite(figure["value"]) for figure in figures.values())
    assert all(type(figure["value"]) is float for figure in figures.values())
    rotated = figures["FID of real digits rotated ±4.5°"]["value"]
    ratio = figures["FID over that of real digits rotated ±4.5°"]["value"]
    assert ratio == pytest.approx(figures["FID"]["value"] / rotated)
    assert evaluate_gan(store, "gan-mnist", data_root, count=100) == figures


def test_the_test_digits_themselves_are_a_perfect_model(store: ModelStore, data_root: Path) -> None:
    pictures, labels = mnist(data_root, "test")[:]
    figures = digit_figures(pictures, labels, store, data_root)
    anchors = [figure["value"] for name, figure in figures.items() if name.startswith("FID of real digits")]
    assert figures["FID"]["value"] == pytest.approx(0, abs=1e-3 * min(anchors))
    assert figures["precision"]["value"] == figures["recall"]["value"] == 1
    asked_otherwise = digit_figures(pictures, (labels + 1) % 10, store, data_root)
    assert asked_otherwise["read as asked"]["value"] != figures["read as asked"]["value"]


def test_discriminator_figure(store: ModelStore, data_root: Path) -> None:
    figures = evaluate_discriminator(store, "gan-mnist-discriminator", data_root)
    assert 0 <= figures["pairs ranked right"]["value"] <= 1
    critic, real = store.get("gan-mnist-discriminator"), mnist(data_root, "test")
    shifted = torch.nn.init.zeros_(critic.summary.weight), critic.summary.bias  # type: ignore[union-attr]
    assert shifted
    assert len(real)
