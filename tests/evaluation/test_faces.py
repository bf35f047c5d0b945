"""Figures of face models, where their answers are known or must at least be in order."""

import csv
import json
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.emoji import emoji
from imagegen.data.faces import ATTRIBUTES, faces, made_up_faces
from imagegen.data.pictures import Sources
from imagegen.evaluation.faces import (
    FaceFeatures,
    evaluate_attributes,
    evaluate_autoencoder,
    face_anchors,
    face_fids,
    face_figures,
)
from imagegen.evaluation.measures import equal_error_threshold
from imagegen.models.attributes import FaceAttributes
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.perceptual import SQUEEZENET_FILE, SqueezeNet
from imagegen.store import ModelStore

TRAIN, TEST = 12, 10


@pytest.fixture(scope="module")
def squeezenet() -> SqueezeNet:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return SqueezeNet().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, squeezenet: SqueezeNet) -> Sources:
    """Made-up faces of which some are held out, 21 emoji of which two are, and an untrained SqueezeNet."""
    root = tmp_path_factory.mktemp("data")
    made_up = made_up_faces()
    (root / "celeba").mkdir()
    with (root / "celeba" / "attributes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", *ATTRIBUTES])
        for i in range(TRAIN + TEST):
            name = f"{i + 1 if i < TRAIN else 162_771 + i:06d}.png"
            Image.fromarray(made_up.pixels[i].permute(1, 2, 0).numpy()).save(root / "celeba" / name)
            table.writerow([name, *made_up.labels[i].tolist()])
    (root / "emoji").mkdir()
    facts = [
        {
            "file_name": f"noto/{i:02d}.png",
            "set": "noto",
            "name": f"{i:02d}",
            "name_zh": "",
            "keywords": [],
            "keywords_zh": [],
        }
        for i in range(21)
    ]
    (root / "emoji" / "captions.jsonl").write_text("\n".join(map(json.dumps, facts)))
    with zipfile.ZipFile(root / "emoji" / "images.zip", "w") as archive:
        for i, fact in enumerate(facts):
            with archive.open(str(fact["file_name"]), "w") as picture:
                Image.new("RGB", (64, 64), (10 * i, 0, 0)).save(picture, "PNG")
    save_file(
        {key: value for key, value in squeezenet.state_dict().items() if key.startswith("features")},
        root / SQUEEZENET_FILE,
    )
    return Sources((root / "celeba", root / "emoji"), root)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    example, _ = made_up_faces()[:2]
    card = Card("made up", "other", "noise")
    write_checkpoint(
        tmp_path / "face-autoencoder",
        FaceAutoencoder((4, 4), latent_channels=2).eval(),
        {"class": "autoencoder.FaceAutoencoder", "args": {"channels": [4, 4], "latent_channels": 2}},
        card,
        {"x": example},
        {},
    )
    write_checkpoint(
        tmp_path / "face-attributes",
        FaceAttributes(width=2).eval(),
        {"class": "attributes.FaceAttributes", "args": {"width": 2}},
        card,
        {"x": example},
        {"thresholds": torch.full((len(ATTRIBUTES),), -100.0)},
    )
    return ModelStore(tmp_path, torch.device("cpu"))


def noise(count: int, seed: int) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_emoji_hold_out_every_twentieth_name(sources: Sources) -> None:
    held_out, facts = emoji(sources.root(1), "test")
    assert [fact.name for fact in facts] == ["00", "20"]
    assert held_out.pixels[:, 0, 0, 0].tolist() == [0, 200]
    assert len(emoji(sources.root(1), "train")[1]) == 19


def test_features_are_means_over_positions(squeezenet: SqueezeNet) -> None:
    pictures = noise(2, seed=1)
    features = FaceFeatures(squeezenet)(pictures)
    assert features.shape == (2, 512)
    large = torch.nn.functional.interpolate(pictures, size=128, mode="bilinear", align_corners=False)
    assert torch.allclose(features, squeezenet(large)[-1].flatten(2).mean(dim=2), atol=1e-5)


def test_a_set_is_nearer_to_its_like_than_to_one_spoilt(squeezenet: SqueezeNet) -> None:
    real, same, other = noise(12, 1), noise(12, 2), noise(12, 3) * 0.3
    distances = face_fids({"itself": real, "same": same, "other": other}, real, squeezenet)
    assert distances["itself"] == pytest.approx(0, abs=1e-6)
    assert 0 < distances["same"] < distances["other"]


def test_anchors_are_the_same_faces_spoilt() -> None:
    real, _ = made_up_faces()[:4]
    anchors = face_anchors(real)
    assert list(anchors) == ["as they are", "at half resolution", "JPEG 50"]
    assert torch.equal(anchors["as they are"], real)
    for name in ("at half resolution", "JPEG 50"):
        assert anchors[name].shape == real.shape
        assert 0 < (anchors[name] - real).abs().mean() < 0.1
        levels = (anchors[name] + 1) * 127.5
        assert torch.allclose(levels, levels.round(), atol=1e-3)
    checkers = torch.ones(1, 3, 64, 64)
    checkers[..., ::2] = -1
    assert face_anchors(checkers)["at half resolution"].abs().mean() < 0.2


def test_a_threshold_of_equal_error() -> None:
    scores = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert 2 <= equal_error_threshold(scores, torch.tensor([0, 0, 0, 1, 1, 1])) < 3
    rng = torch.Generator().manual_seed(0)
    labels = (torch.rand(20_000, generator=rng) < 0.1).long()
    scores = torch.randn(20_000, generator=rng) + 2 * labels
    threshold = equal_error_threshold(scores, labels)
    assert threshold == pytest.approx(1, abs=0.1)  # halfway between the two normals, however rare the label is
    missed = (scores[labels == 1] <= threshold).float().mean()
    wrong = (scores[labels == 0] > threshold).float().mean()
    assert missed.item() == pytest.approx(wrong.item(), abs=2e-3)


def test_generated_faces_are_held_against_real_ones_spoilt(store: ModelStore, sources: Sources) -> None:
    figures = face_figures(faces(sources.root(), "test")[:][0], store, sources)
    assert figures["FID"]["value"] == pytest.approx(0, abs=1e-5)
    half = figures["FID of real faces at half resolution"]["value"]
    assert half > 0
    assert figures["FID over that of real faces at half resolution"]["value"] == pytest.approx(0, abs=1e-5)
    assert {"FID of real faces as they are", "FID of real faces JPEG 50"} <= figures.keys()
    assert "10 pictures" in figures["FID"]["how"]


def test_an_autoencoder_is_measured_on_faces_and_emoji(store: ModelStore, sources: Sources) -> None:
    figures = evaluate_autoencoder(store, "face-autoencoder", sources, faces_copied=4, fid_faces=6)
    assert "4 held-out faces" in figures["PSNR of reconstructions, faces"]["how"]
    assert "2 emoji" in figures["PSNR of reconstructions, emoji"]["how"]
    assert figures["FID of copies"]["value"] > figures["FID of real faces as they are"]["value"]
    pictures, _ = faces(sources.root(), "test")[:4]
    error = (store.get("face-autoencoder")(pictures).clamp(-1, 1) - pictures).square().mean(dim=(1, 2, 3))
    expected = (10 * torch.log10(4 / error)).mean().item()
    assert figures["PSNR of reconstructions, faces"]["value"] == pytest.approx(expected, abs=0.05)


def test_a_judge_that_sees_everything_everywhere_is_right_half_of_the_time(store: ModelStore, sources: Sources) -> None:
    figures = evaluate_attributes(store, "face-attributes", sources)
    assert len(figures) == 2 + 2 * len(ATTRIBUTES)
    assert figures["balanced accuracy"]["value"] == pytest.approx(0.5)
    areas = [figures[f"AUC, {name}"]["value"] for name in ATTRIBUTES]
    assert figures["AUC"]["value"] == pytest.approx(sum(areas) / len(areas), abs=1e-6)
    assert all(0 <= area <= 1 for area in areas)
