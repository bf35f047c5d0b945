"""A made-up MNIST on disk and tiny checkpoints, so that a whole evaluation runs in a second."""

import struct
from pathlib import Path

import pytest
import torch

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.digits import mnist
from imagegen.data.pictures import Pictures
from imagegen.evaluation.features import reference_statistics
from imagegen.models.classifier import DigitClassifier
from imagegen.models.gan import ConditionalDiscriminator, ConditionalGenerator
from imagegen.store import ModelStore


@pytest.fixture(scope="session")
def classifier() -> DigitClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return DigitClassifier(width=4).half().float().eval()


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Idx files of noise: 500 pictures to train on, half of them kept back, and 120 to test on."""
    root = tmp_path_factory.mktemp("mnist")
    rng = torch.Generator().manual_seed(1)
    for part, count in (("train", 500), ("t10k", 120)):
        pixels = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=rng)
        labels = torch.arange(count, dtype=torch.uint8) % 10
        for kind, tensor in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = struct.pack(f">{1 + tensor.dim()}i", 0x0800 + tensor.dim(), *tensor.shape)
            (root / f"{part}-{kind}-ubyte").write_bytes(head + tensor.numpy().tobytes())
    return root


@pytest.fixture(scope="session")
def digits(data_root: Path) -> Pictures:
    return mnist(data_root, "train")


@pytest.fixture
def store(classifier: DigitClassifier, data_root: Path, tmp_path: Path) -> ModelStore:
    """The three digit checkpoints, narrow and untrained, as they are published."""
    pictures, labels = mnist(data_root, "test")[:]
    card = Card("made up", "apache-2.0", "noise", figures={"speed": {"value": 1.0, "how": "by hand"}})
    write_checkpoint(
        tmp_path / "digit-classifier",
        classifier,
        {"class": "classifier.DigitClassifier", "args": {"width": 4}},
        card,
        {"x": pictures[:4]},
        reference_statistics(classifier, pictures),
    )
    write_checkpoint(
        tmp_path / "gan-mnist",
        ConditionalGenerator(width=2).eval(),
        {"class": "gan.ConditionalGenerator", "args": {"width": 2}},
        card,
        {"z": torch.zeros(4, 64), "labels": labels[:4]},
        {},
    )
    write_checkpoint(
        tmp_path / "gan-mnist-discriminator",
        ConditionalDiscriminator(width=2).eval(),
        {"class": "gan.ConditionalDiscriminator", "args": {"width": 2}},
        card,
        {"x": pictures[:4], "labels": labels[:4]},
        {},
    )
    return ModelStore(tmp_path, torch.device("cpu"))
