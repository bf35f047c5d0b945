"""A made-up MNIST and tiny checkpoints of every class, so that each layer runs for real within seconds."""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from made_up_diffusion import add_diffusion_checkpoints
from made_up_gans import add_classic_gans
from made_up_sr import add_sr_checkpoints
from made_up_style import add_style_checkpoints
from made_up_vaes import add_vae_checkpoints
from made_up_words import add_text_checkpoint

from imagegen.cards import Card
from imagegen.checkpoints import ModelStore, write_checkpoint
from imagegen.data.digits import mnist
from imagegen.evaluation.features import reference_statistics
from imagegen.models.classifier import DigitClassifier
from imagegen.models.gan import ConditionalDiscriminator, ConditionalGenerator


@pytest.fixture(scope="session")
def mnist_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four gzipped idx files of noise: 200 digits to train on, of which half are kept back, and 40 to test on."""
    root = tmp_path_factory.mktemp("mnist")
    rng = torch.Generator().manual_seed(0)
    for part, count in (("train", 200), ("t10k", 40)):
        pixels = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=rng)
        labels = torch.arange(count, dtype=torch.uint8) % 10
        for kind, tensor in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = struct.pack(f">{1 + tensor.dim()}i", 0x0800 + tensor.dim(), *tensor.shape)
            (root / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + tensor.numpy().tobytes()))
    return root


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, mnist_root: Path) -> Path:
    """Every checkpoint that a tab needs, narrow and untrained. Copy what is to be changed."""
    folder = tmp_path_factory.mktemp("checkpoints")
    pictures, labels = mnist(mnist_root, "test")[:]
    card = Card(
        "Made up.", "apache-2.0", "noise", {"command": "none", "seed": 0}, {"FID": {"value": 1.5, "how": "guessed"}}
    )
    rng = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(2)
        args = {"z_dim": 8, "w_dim": 16, "width": 2}
        generator = ConditionalGenerator(**args)
        write_checkpoint(
            folder / "gan-mnist",
            generator,
            {"class": "gan.ConditionalGenerator", "args": args},
            card,
            {"z": torch.randn(4, 8, generator=rng), "labels": labels[:4]},
            {
                "w_means": generator.mapping(torch.zeros(10, 8), generator.embed(torch.arange(10))),
                "directions": torch.randn(8, 16, generator=rng),
                "direction_names": torch.tensor([0, 1, 2, 3, 4, 5, -1, -1]),
            },
        )
        discriminator = ConditionalDiscriminator(width=2)
        write_checkpoint(
            folder / "gan-mnist-discriminator",
            discriminator,
            {"class": "gan.ConditionalDiscriminator", "args": {"width": 2}},
            card,
            {"x": pictures[:4], "labels": labels[:4]},
            {"real_means": discriminator(pictures[:10], labels[:10]), "real_std": torch.tensor(0.5)},
        )
        classifier = DigitClassifier(width=2).half().float().eval()
        write_checkpoint(
            folder / "digit-classifier",
            classifier,
            {"class": "classifier.DigitClassifier", "args": {"width": 2}},
            card,
            {"x": pictures[:4]},
            reference_statistics(classifier, pictures),
        )
    add_classic_gans(folder)
    add_diffusion_checkpoints(folder)
    add_text_checkpoint(folder)
    add_sr_checkpoints(folder)
    add_style_checkpoints(folder)
    add_vae_checkpoints(folder)
    return folder


@pytest.fixture(scope="session")
def store(checkpoints: Path) -> ModelStore:
    return ModelStore(checkpoints, torch.device("cpu"))


@pytest.fixture
def new_accelerator() -> Iterator[None]:
    """Accelerate keeps device and precision for the whole process; a test that trains gives them back."""
    from accelerate.state import AcceleratorState

    yield
    AcceleratorState._reset_state(reset_partial_state=True)
