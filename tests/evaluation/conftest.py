"""A made-up MNIST on disk and tiny checkpoints, so that a whole evaluation runs in a second."""

import struct
from pathlib import Path

import pytest
import torch
from torch import nn

from imagegen.checkpoints import Card, ModelStore, write_checkpoint
from imagegen.data import Pictures, mnist
from imagegen.evaluation.features import reference_statistics
from imagegen.models.classifier import DigitClassifier
from imagegen.models.gan import ConditionalDiscriminator, ConditionalGenerator


@pytest.fixture(scope="session")
def classifier() -> DigitClassifier:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return DigitClassifier(width=4).half().float().eval()


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Idx files of noisy pictures: 500 to train on (half of them kept back for validation), 120 to test on."""
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
    """The three digit checkpoints, of width 4 or 2 and untrained."""
    real, labels = mnist(data_root, "test")[:4]
    codes = {"z": torch.zeros(4, 64), "labels": labels}
    statistics = reference_statistics(classifier, mnist(data_root, "test")[:][0])
    generator, critic = ConditionalGenerator(width=2), ConditionalDiscriminator(width=2)

    def publish(name: str, model: nn.Module, class_name: str, width: int, example, assets) -> None:  # type: ignore[no-untyped-def]
        card = Card("made up", "apache-2.0", "noise", figures={"speed": {"value": 1.0, "how": "by hand"}})
        config = {"class": class_name, "args": {"width": width}}
        write_checkpoint(tmp_path / name, model.eval(), config, card, example, assets)

    publish("digit-classifier", classifier, "classifier.DigitClassifier", 4, {"x": real}, statistics)
    publish("gan-mnist", generator, "gan.ConditionalGenerator", 2, codes, {})
    publish(
        "gan-mnist-discriminator",
        critic,
        "gan.ConditionalDiscriminator",
        2,
        {"x": real, "labels": labels},
        {},
    )
    return ModelStore(tmp_path, torch.device("cpu"))
