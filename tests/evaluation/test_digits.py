"""Figures of the classifier and of what draws digits."""

import math
from pathlib import Path

import pytest

from imagegen.data.digits import mnist
from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation.digits import (
    digit_figures,
    evaluate_classifier,
    evaluate_discriminator,
    evaluate_gan,
)
from imagegen.evaluation.features import as_saved
from imagegen.store import ModelStore


def test_classifier_figures(store: ModelStore, data_root: Path) -> None:
    figures = evaluate_classifier(store, "digit-classifier", Sources((data_root,)), count=100)
    pictures, labels = mnist(data_root, "test")[:]
    read = store.get("digit-classifier")(pictures).argmax(dim=1)
    assert figures["test accuracy"]["value"] == pytest.approx((read == labels).float().mean().item())
    assert sum(name.startswith("FID of real digits") for name in figures) == 5
    assert figures["FID of real digits rotated ±4.5°"]["value"] > 0


def test_gan_figures_are_finite_and_repeat(store: ModelStore, data_root: Path) -> None:
    figures = evaluate_gan(store, "gan-mnist", Sources((data_root,)), count=100)
    assert all(math.isfinite(figure["value"]) for figure in figures.values())
    assert all(type(figure["value"]) is float for figure in figures.values())
    rotated = figures["FID of real digits rotated ±4.5°"]["value"]
    ratio = figures["FID over that of real digits rotated ±4.5°"]["value"]
    assert ratio == pytest.approx(figures["FID"]["value"] / rotated)
    assert evaluate_gan(store, "gan-mnist", Sources((data_root,)), count=100) == figures


def test_the_test_digits_themselves_are_a_perfect_model(store: ModelStore, data_root: Path) -> None:
    pictures, labels = mnist(data_root, "test")[:]
    figures = digit_figures(pictures, labels, store, data_root)
    anchors = [figure["value"] for name, figure in figures.items() if name.startswith("FID of real digits")]
    assert figures["FID"]["value"] == pytest.approx(0, abs=1e-3 * min(anchors))
    assert figures["precision"]["value"] == figures["recall"]["value"] == 1


@pytest.mark.parametrize(("off", "share"), [(0, 1), (1, 0)])
def test_read_as_asked(store: ModelStore, data_root: Path, off: int, share: float) -> None:
    pictures, _ = mnist(data_root, "test")[:]
    read = store.get("digit-classifier")(pictures).argmax(dim=1)
    figures = digit_figures(pictures, (read + off) % 10, store, data_root)
    assert figures["read as asked"]["value"] == share


def test_nothing_else_changes_where_no_digit_was_asked_for(store: ModelStore, data_root: Path) -> None:
    pictures, labels = mnist(data_root, "test")[:]
    asked = digit_figures(pictures, labels, store, data_root)
    assert asked.pop("read as asked")
    assert digit_figures(pictures, None, store, data_root) == asked


def test_discriminator_figure_counts_pairs_of_the_same_label(store: ModelStore, data_root: Path) -> None:
    figures = evaluate_discriminator(store, "gan-mnist-discriminator", Sources((data_root,)))
    real, labels = mnist(data_root, "test")[:]
    critic, generator = store.get("gan-mnist-discriminator"), store.get("gan-mnist")
    fake = as_saved(generator(picture_noise(0, len(labels), 64), labels))
    expected = (critic(real, labels) > critic(fake, labels)).double().mean().item()
    assert figures["pairs ranked right"]["value"] == expected
