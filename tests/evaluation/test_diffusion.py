"""Figures of diffusion models: what is drawn, at which noise levels the loss is taken, and whole evaluations."""

import math
from pathlib import Path

import pytest
import torch
from made_up_data import write_sources
from safetensors.torch import save_file
from torch import nn

from imagegen.cards import Card
from imagegen.checkpoints import ModelStore, write_checkpoint
from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation import diffusion
from imagegen.evaluation.diffusion import (
    DIGIT_GUIDANCE,
    FACE_GUIDANCE,
    draw,
    evaluate_digits,
    evaluate_faces,
    loss_figures,
)
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.diffusion import Denoiser, velocity
from imagegen.models.perceptual import SQUEEZENET_FILE, SqueezeNet

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # diffusers, NumPy 2

DIGITS = {"channels": [8, 8]}
FACES = {"picture": [2, 8, 8], "labels": 17, "channels": [8, 8], "patch": 1, "clip": None}


def write_denoiser(folder: Path, name: str, args: dict[str, object]) -> Denoiser:
    model = Denoiser(**args).half().float().eval().requires_grad_(False)
    labels = torch.zeros(1, model.labels)
    write_checkpoint(
        folder / name,
        model,
        {"class": "diffusion.Denoiser", "args": args},
        Card("Made up.", "other", "noise"),
        {"x_t": torch.zeros(1, *model.picture), "timesteps": torch.tensor([5]), "labels": labels},
        {},
    )
    return model


def test_picture_i_is_drawn_from_seed_i_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    model, labels = Denoiser(**DIGITS).eval().requires_grad_(False), torch.eye(10)[:5]
    for solver in ("ddim", "ddpm"):
        together = draw(model, labels, solver, 3)
        monkeypatch.setattr(diffusion, "BATCH", 2)
        assert (draw(model, labels, solver, 3) - together).abs().max() < 1.5 / 127.5
        monkeypatch.undo()


def test_the_loss_of_a_network_that_predicts_nothing_is_the_velocity_itself() -> None:
    model = Denoiser(**DIGITS).eval().requires_grad_(False)
    nn.init.zeros_(model.unet.conv_out.weight)
    nn.init.zeros_(model.unet.conv_out.bias)
    x0 = torch.full((40, 1, 28, 28), -1.0)
    figures = loss_figures(model, x0, torch.zeros(40, 10), "black pictures")
    assert list(figures) == [f"loss at t {start} to {start + 49}" for start in range(0, 1000, 50)]
    level = model.alphas_cumprod[[500, 525]]
    expected = velocity(x0[20:22], picture_noise(20, 2, 1, 28, 28), level).square().mean().item()
    assert figures["loss at t 500 to 549"]["value"] == pytest.approx(expected, rel=1e-5)


def test_figures_of_digits(store: ModelStore, data_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusion, "TABLE", {"ddpm": (2,), "dpm++": (2, 3)})
    write_denoiser(store.folder, "ddpm-mnist", DIGITS)
    figures = evaluate_digits(store, "ddpm-mnist", Sources((data_root,)), count=100)
    assert all(type(figure["value"]) is float and math.isfinite(figure["value"]) for figure in figures.values())
    assert figures["guidance"]["value"] in DIGIT_GUIDANCE
    few, many = (figures[f"FID-0.02k {how} steps"]["value"] for how in ("unipc 10", "ddim 100"))
    assert figures["FID of 10 unipc steps over that of 100 ddim steps"]["value"] == pytest.approx(few / many)
    assert {f"FID-0.005k {row} steps" for row in ("ddpm 2", "dpm++ 2", "dpm++ 3")} <= figures.keys()
    assert {"FID", "KID", "precision", "recall", "read as asked", "loss at t 0 to 49"} <= figures.keys()


def test_figures_of_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusion, "BINS", 5)  # there are but ten faces to fill them
    sources = write_sources(tmp_path)
    squeezenet = {key: value for key, value in SqueezeNet().state_dict().items() if key.startswith("features")}
    save_file(squeezenet, tmp_path / SQUEEZENET_FILE)
    args = {"channels": (4, 4, 4, 8), "latent_channels": 2}
    write_checkpoint(
        sources.checkpoints / "face-autoencoder",
        FaceAutoencoder(**args).eval(),
        {"class": "autoencoder.FaceAutoencoder", "args": args},
        Card("Made up.", "other", "noise"),
        {"x": torch.zeros(1, 3, 64, 64)},
        {},
    )
    write_denoiser(sources.checkpoints, "ddpm-celeba", FACES)
    store = ModelStore(sources.checkpoints, torch.device("cpu"))
    figures = evaluate_faces(store, "ddpm-celeba", Sources(sources.data, tmp_path, sources.checkpoints), count=20)
    assert all(type(figure["value"]) is float and math.isfinite(figure["value"]) for figure in figures.values())
    assert figures["guidance"]["value"] in FACE_GUIDANCE
    assert {"FID", "FID of real faces as they are"} <= figures.keys()
    assert sum(name.startswith("loss at t") for name in figures) == 5
