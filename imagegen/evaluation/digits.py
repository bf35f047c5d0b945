"""Figures of digit models, judged by the digit classifier against MNIST test.

The judge computes in fp32 on the CPU whatever device draws, so that a figure is the same everywhere.
"""

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from imagegen.data.digits import mnist
from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation.anchors import ROTATED, digit_anchors
from imagegen.evaluation.distribution import fid, inception_score, kid
from imagegen.evaluation.features import as_saved, in_batches
from imagegen.evaluation.measures import Figures, figure
from imagegen.evaluation.neighbours import precision_recall
from imagegen.models.classifier import DigitClassifier, DigitFeatures
from imagegen.models.gan import ConditionalGenerator
from imagegen.store import ModelStore

__all__ = ["digit_figures", "evaluate_classifier", "evaluate_discriminator", "evaluate_gan"]

JUDGE = "digit-classifier"
COUNT = 10_000
SEED = 0


def evaluate_classifier(store: ModelStore, name: str, sources: Sources, count: int = COUNT) -> Figures:
    """Accuracy on MNIST test, and the anchors that give the FID of its features a meaning."""
    classifier = cast(DigitClassifier, store.checkpoint(name).load())
    pictures, labels = mnist(sources.root(), "test")[:]
    accuracy = _share(in_batches(classifier, pictures).argmax(dim=1) == labels)
    return {
        "test accuracy": figure(accuracy, f"all {len(labels):,} digits of MNIST test", "≥ 0.994"),
        **_anchor_figures(store, classifier, sources.root(), count),
    }


def evaluate_gan(store: ModelStore, name: str, sources: Sources, count: int = COUNT) -> Figures:
    """`digit_figures` of pictures at truncation 1, picture i from seed i.

    The labels asked for are those of training digits drawn at random, as for the anchors: a set with 1,000
    of each digit would be held against a test set that has 892 to 1,135.
    """
    labels = mnist(sources.root(), "train").labels
    asked = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(SEED))[:count]]
    return digit_figures(_draw(store, name, asked), asked, store, sources.root())


def evaluate_discriminator(store: ModelStore, name: str, sources: Sources) -> Figures:
    """How often the critic prefers a real digit to one that its generator drew of the same label."""
    critic = store.get(name)
    real, labels = mnist(sources.root(), "test")[:]
    fake = _draw(store, name.removesuffix("-discriminator"), labels)
    right = in_batches(critic, real, labels) > in_batches(critic, fake, labels)
    how = f"{len(labels):,} pairs of the same label, MNIST test and generated from seed {SEED}"
    return {"pairs ranked right": figure(_share(right), how, "0.5: it cannot tell them apart")}


def digit_figures(
    pictures: Tensor, asked: Tensor | None, store: ModelStore, data_root: Path | None, what: str = "pictures"
) -> Figures:
    """All that is measured of generated digits.

    Args:
        pictures: (N, 1, 28, 28) in [-1, 1], rounded to 8 bits; picture i drawn from seed i.
        asked: the digit that each was to show, (N,), or None where nothing can be asked for.
        what: they are and how they were drawn, for the card.
    """
    classifier = cast(DigitClassifier, store.checkpoint(JUDGE).load())
    features, logits = DigitFeatures(classifier), DigitFeatures(classifier, logits=True)
    real, _ = mnist(data_root, "test")[:]
    anchors = _anchor_figures(store, classifier, data_root, len(pictures))
    rotated = anchors[_anchor(ROTATED)]["value"]
    distance = fid(features, _reference(store), pictures)
    kernel_distance, error = kid(features, real, pictures, SEED)
    precision, recall = precision_recall(in_batches(features, real), in_batches(features, pictures))
    real_score = inception_score(logits, real, SEED)
    how = f"{len(pictures):,} {what}, seed {SEED}, digit-classifier features, MNIST test"
    figures = {
        "FID": figure(distance, how, f"≤ {rotated:.3g} (real digits {ROTATED})"),
        f"FID over that of real digits {ROTATED}": figure(distance / rotated, how, "≤ 1"),
        **anchors,
        "KID": figure(kernel_distance, f"{how}; standard error {error:.1g}"),
        "IS": figure(inception_score(logits, pictures, SEED), how, f"{real_score:.3g} (MNIST test itself)"),
        "precision": figure(precision, f"{how}, k = 3"),
        "recall": figure(recall, f"{how}, k = 3"),
    }
    if asked is not None:
        read = in_batches(logits, pictures).argmax(dim=1)
        figures["read as asked"] = figure(_share(read == asked), how, "≥ 0.98")
    return figures


def _draw(store: ModelStore, name: str, labels: Tensor) -> Tensor:
    """A digit of each label (N,), as saved: (N, 1, 28, 28)."""
    generator = cast(ConditionalGenerator, store.get(name))
    z = picture_noise(SEED, len(labels), generator.z_dim)
    return as_saved(in_batches(generator, z, labels))


def _anchor_figures(store: ModelStore, classifier: DigitClassifier, data_root: Path | None, count: int) -> Figures:
    features, reference = DigitFeatures(classifier), _reference(store)
    how = f"{count:,} training digits, seed {SEED}, digit-classifier features, MNIST test"
    return {
        _anchor(anchor): figure(fid(features, reference, pictures), how)
        for anchor, pictures in digit_anchors(mnist(data_root, "train"), count, SEED).items()
    }


def _anchor(name: str) -> str:
    return f"FID of real digits {name}"


def _reference(store: ModelStore) -> dict[str, Tensor]:
    keys = ("reference_sum", "reference_outer", "reference_count")
    return {key: store.asset(JUDGE, key) for key in keys}


def _share(hits: Tensor) -> float:
    return hits.double().mean().item()
