"""Figures of diffusion models: what is drawn, at which noise levels the loss is taken, and whole evaluations."""

import math
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest
import torch
from made_up_data import write_sources
from safetensors.torch import save_file
from torch import nn

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation import diffusion
from imagegen.evaluation.curves import charts, loss_curve, solver_table
from imagegen.evaluation.diffusion import (
    DIGIT_GUIDANCE,
    FACE_GUIDANCE,
    draw,
    evaluate_digits,
    evaluate_faces,
    loss_figures,
)
from imagegen.evaluation.measures import Figures
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.diffusion import SOLVERS, Denoiser, velocity
from imagegen.models.perceptual import SQUEEZENET_FILE, SqueezeNet
from imagegen.store import ModelStore

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


def gathered(parts: Iterable[Figures]) -> Figures:
    return dict(chain.from_iterable(part.items() for part in parts))


def assert_curves(figures: Figures, solver_steps: list[int], stretches: int) -> None:
    """What the evaluation wrote is what the page reads."""
    card = Card("Made up.", "other", "noise", figures=figures)
    table = solver_table(card)
    assert sorted(table) == sorted(SOLVERS)
    assert all([steps for steps, _ in points] == solver_steps for points in table.values())
    assert [first for first, _, _ in loss_curve(card)] == list(range(0, 1000, 1000 // stretches))
    assert len(charts(card)) == 2


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
    monkeypatch.setattr(diffusion, "TABLE_STEPS", (2, 3))
    monkeypatch.setattr(diffusion, "SOME", 5)
    monkeypatch.setattr(diffusion, "FEW", 5)
    write_denoiser(store.folder, "ddpm-mnist", DIGITS)
    parts = list(evaluate_digits(store, "ddpm-mnist", Sources((data_root,)), count=100))
    figures = gathered(parts)
    assert all(type(figure["value"]) is float and math.isfinite(figure["value"]) for figure in figures.values())
    assert figures["guidance"]["value"] in DIGIT_GUIDANCE
    assert figures["guidance"]["how"].endswith(" from validation digits, 20 ddpm steps")
    drawn = f"100 pictures in 20 ddpm steps with guidance {figures['guidance']['value']:g}, seed 0"
    assert all(figures[name]["how"].startswith(drawn) for name in ("FID", "KID", "precision", "read as asked"))
    few, many = (figures[f"FID-0.01k of {how} steps"]["value"] for how in ("10 unipc", "100 ddim"))
    assert figures["FID of 10 unipc steps over that of 100 ddim steps"]["value"] == pytest.approx(few / many)
    assert figures["FID-0.005k dpm++ 3 steps"]["how"].startswith("5 pictures")
    assert_curves(figures, solver_steps=[2, 3], stretches=20)
    assert {"FID", "KID", "precision", "recall", "read as asked", "guidance"} <= parts[0].keys()


def test_figures_of_faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diffusion, "BINS", 5)  # there are but ten faces to fill them
    monkeypatch.setattr(diffusion, "TABLE_STEPS", (2,))
    monkeypatch.setattr(diffusion, "SOME", 5)
    monkeypatch.setattr(diffusion, "FEW", 5)
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
    sources = Sources(sources.data, tmp_path, sources.checkpoints)
    figures = gathered(evaluate_faces(store, "ddpm-celeba", sources, count=40))
    assert all(type(figure["value"]) is float and math.isfinite(figure["value"]) for figure in figures.values())
    assert figures["guidance"]["value"] in FACE_GUIDANCE
    drawn = f"40 pictures in 20 unipc steps with guidance {figures['guidance']['value']:g}, seed 0"
    assert figures["FID"]["how"].startswith(drawn)
    assert {"FID", "FID of real faces as they are", "FID-0.004k of 10 unipc steps"} <= figures.keys()
    assert_curves(figures, solver_steps=[2], stretches=5)
