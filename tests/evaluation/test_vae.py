"""Figures of the autoencoders where the answer is known, and whole evaluations of tiny networks."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.digits import mnist
from imagegen.data.pictures import Sources
from imagegen.evaluation.measures import area_under_curve, copies
from imagegen.evaluation.vae import (
    evaluate_autoencoder,
    evaluate_digits,
    likelihood,
    roughness,
)
from imagegen.models.vae import Vae
from imagegen.store import ModelStore

TINY = {"z_dim": 2, "widths": (2, 4), "hidden": 8, "depth": 1}


def tiny() -> Vae:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return Vae(**TINY).eval()


def last(network: nn.Sequential) -> nn.Linear | nn.Conv2d:
    layer = network[-1]
    assert isinstance(layer, nn.Linear | nn.Conv2d)
    return layer


def silence(layer: nn.Linear | nn.Conv2d, bias: float) -> None:
    """Let the layer answer `bias` to everything."""
    assert layer.bias is not None
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, bias)


@pytest.mark.parametrize("samples", [1, 7])
def test_the_likelihood_of_a_model_that_knows_only_how_dark_digits_are(samples: int) -> None:
    model = tiny()
    silence(last(model.encoder), 0)
    silence(last(model.decoder), -2)
    black = torch.full((3, 1, 28, 28), -1.0)
    figures = likelihood(model, black, samples)
    nats = 784 * math.log(1 + math.exp(-2))
    assert figures["NLL bound"]["value"] == pytest.approx(nats, rel=1e-5)
    assert figures["reconstruction"]["value"] == pytest.approx(nats, rel=1e-5)
    assert figures["KL"]["value"] == 0
    assert figures["latents in use"]["value"] == 0
    assert "standard error 0" in figures["NLL bound"]["how"]


def test_more_samples_tighten_the_bound_and_the_elbo_is_its_loosest() -> None:
    model = tiny()
    nn.init.normal_(last(model.decoder).weight, std=3, generator=torch.Generator().manual_seed(0))
    pictures = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1
    figures = likelihood(model, pictures, 100)
    assert figures["NLL bound"]["value"] < figures["-ELBO"]["value"]
    assert figures["-ELBO"]["value"] == pytest.approx(figures["reconstruction"]["value"] + figures["KL"]["value"])
    assert likelihood(model, pictures, 100) == figures


def test_a_latent_that_the_encoder_sets_apart_is_in_use() -> None:
    model = tiny()
    head = last(model.encoder)
    silence(head, 0)
    assert head.bias is not None
    with torch.no_grad():
        head.bias[1] = 2.0  # mu of the second latent: 2 nats
    figures = likelihood(model, torch.zeros(2, 1, 28, 28), 5)
    assert figures["latents in use"]["value"] == 1
    assert figures["KL"]["value"] == pytest.approx(2)
    assert figures["latents in use"]["how"].endswith("2.00, 0.00")


def test_copies_that_are_all_ten_grey_levels_too_bright() -> None:
    brighter = nn.Conv2d(1, 1, 1)
    nn.init.ones_(brighter.weight)
    assert brighter.bias is not None
    nn.init.constant_(brighter.bias, 10 / 127.5)
    levels = torch.randint(0, 240, (5, 1, 28, 28), generator=torch.Generator().manual_seed(0))
    pictures = levels / 127.5 - 1
    figures = copies(brighter, pictures, "made up")
    assert figures["PSNR of reconstructions"]["value"] == pytest.approx(20 * math.log10(255 / 10), abs=1e-3)
    assert 0.9 < figures["SSIM of reconstructions"]["value"] < 1


class _Brightness(nn.Module):
    """Reads the logit of a picture's brightness, and bends it."""

    def __init__(self, power: int) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(float(power)))

    def forward(self, x: Tensor) -> Tensor:
        logit = torch.logit(0.5 * x.mean(dim=(1, 2, 3)) + 0.5)[:, None]
        return logit.sign() * logit.abs() ** self.power


@pytest.mark.parametrize(("power", "expected"), [(1, 1), (3, (1 - 0.9**3) / 0.1)])
def test_the_way_from_black_to_white_is_even_for_a_judge_that_reads_logits(power: int, expected: float) -> None:
    model = tiny()
    model.encoder = nn.Sequential(nn.Flatten(), nn.Linear(784, 4, bias=False))
    nn.init.constant_(last(model.encoder).weight, 1 / 784)
    model.decoder = nn.Sequential(nn.Linear(2, 784, bias=False), nn.Unflatten(1, (1, 28, 28)))
    assert isinstance(model.decoder[0], nn.Linear)
    nn.init.constant_(model.decoder[0].weight, 0.5)  # the logit of every pixel is the mean of the code
    pictures = torch.tensor([-1.0, 1.0, -1.0, 1.0])[:, None, None, None].expand(-1, 1, 28, 28)
    assert roughness(model, _Brightness(power), pictures) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("labels", "area"), [([0, 0, 1, 1], 1.0), ([1, 1, 0, 0], 0.0), ([0, 1, 0, 1], 0.75), ([1, 0, 0, 1], 0.5)]
)
def test_area_under_curve_counts_pairs_in_the_right_order(labels: list[int], area: float) -> None:
    scores = torch.tensor([-1.0, 0.5, 0.7, 3.0])
    assert area_under_curve(scores, torch.tensor(labels)) == pytest.approx(area)
    shuffled = torch.tensor([2, 0, 3, 1])
    assert area_under_curve(scores[shuffled], torch.tensor(labels)[shuffled]) == pytest.approx(area)


@pytest.fixture
def with_vae(store: ModelStore, data_root: Path) -> ModelStore:
    x = mnist(data_root, "test")[:4][0]
    card = Card("made up", "apache-2.0", "noise")
    write_checkpoint(store.folder / "vae-mnist", tiny(), {"class": "vae.Vae", "args": TINY}, card, {"x": x}, {})
    return store


def test_a_whole_evaluation_is_finite(with_vae: ModelStore, data_root: Path) -> None:
    figures = evaluate_digits(with_vae, "vae-mnist", Sources((data_root,)), count=100)
    assert all(math.isfinite(figure["value"]) for figure in figures.values())
    assert all(type(figure["value"]) is float for figure in figures.values())
    assert {"NLL bound", "PSNR of reconstructions", "roughness of paths", "FID"} <= figures.keys()
    plain = evaluate_autoencoder(with_vae, "vae-mnist", Sources((data_root,)), count=100)
    assert plain == {key: figure for key, figure in figures.items() if key in plain}
    assert "NLL bound" not in plain
