"""Figures of super-resolution: known errors give known figures, and bicubic gives the published one."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.folders import pictures_in
from imagegen.data.photos import cropped, shrunk
from imagegen.data.pictures import Sources
from imagegen.errors import InputError
from imagegen.evaluation.curves import MIXTURES, PERCEPTUAL, mixture, mixture_curve
from imagegen.evaluation.sr import evaluate_sr, evaluate_sr_real, perceptual_distance
from imagegen.images import to_tensor
from imagegen.models.perceptual import SQUEEZENET_FILE, SqueezeNet
from imagegen.models.sr import SuperResolver, psnr
from imagegen.store import ModelStore


@pytest.fixture
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((97, 82), Image.Resampling.BICUBIC)


@pytest.fixture
def squeezenet() -> SqueezeNet:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return SqueezeNet().eval().requires_grad_(False)


@pytest.fixture
def sources(photo: Image.Image, squeezenet: SqueezeNet, tmp_path: Path) -> Sources:
    """Set5 and Set14 of two pictures, and a SqueezeNet of noise."""
    for title in ("set5", "Set14"):
        (tmp_path / title).mkdir()
        photo.save(tmp_path / title / "a.png")
        photo.convert("L").save(tmp_path / title / "b.png")
    features = {key: tensor for key, tensor in squeezenet.state_dict().items() if key.startswith("features")}
    save_file(features, tmp_path / SQUEEZENET_FILE)
    return Sources((tmp_path,), tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """`sr-x4` that only copies pixels."""
    network = SuperResolver(4, 1).eval()
    with torch.no_grad():
        network.tail.weight.zero_()
        network.tail.bias.zero_()
    config = {"class": "sr.SuperResolver", "args": {"width": 4, "blocks": 1}}
    example = {"low_res": torch.zeros(1, 3, 4, 4)}
    write_checkpoint(tmp_path / "all" / "sr-x4", network, config, Card("made up", "other", "noise"), example, {})
    return ModelStore(tmp_path / "all", torch.device("cpu"))


def test_perceptual_distance_tells_worse_from_better(photo: Image.Image, squeezenet: SqueezeNet) -> None:
    high_res = to_tensor(photo)
    noise = torch.randn(high_res.shape, generator=torch.Generator().manual_seed(0))
    better, worse = (high_res + amount * noise for amount in (0.02, 0.2))
    distances = [perceptual_distance(squeezenet, restored, high_res) for restored in (high_res, better, worse)]
    assert 0 == distances[0] < distances[1] < distances[2] < 4


def test_all_figures_of_a_network(store: ModelStore, sources: Sources, photo: Image.Image) -> None:
    figures = evaluate_sr(store, "sr-x4", sources)
    assert len(figures) == 2 * 5 + 1
    assert figures["parameters"]["value"] == sum(p.numel() for p in store.get("sr-x4").parameters())
    expected = []
    for picture in (photo, photo.convert("L").convert("RGB")):
        whole = picture.crop((0, 0, 96, 80))
        small = whole.resize((24, 20), Image.Resampling.BICUBIC)
        methods = (Image.Resampling.NEAREST, Image.Resampling.BICUBIC)
        expected.append([psnr(to_tensor(small.resize((96, 80), method)), to_tensor(whole)) for method in methods])
    ours, bicubic = np.mean(expected, axis=0)
    for title in ("Set5", "Set14"):
        assert figures[f"{title}: PSNR"]["value"] == pytest.approx(ours, abs=1e-3)
        assert figures[f"{title}: PSNR of bicubic"]["value"] == pytest.approx(bicubic, abs=1e-3)
        assert "mean of 2 photos" in figures[f"{title}: PSNR"]["how"]
    assert figures["Set14: PSNR"]["bar"] == "≥ 27.6"


def test_mixtures_of_both_networks_are_measured(store: ModelStore, sources: Sources) -> None:
    config = {"class": "sr.SuperResolver", "args": {"width": 4, "blocks": 1}}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(0)
        network = SuperResolver(4, 1).eval()
        network.tail.weight.mul_(20)
    example = {"low_res": torch.zeros(1, 3, 4, 4)}
    write_checkpoint(store.folder / "srgan-x4", network, config, Card("made up", "other", "noise"), example, {})
    faithful = evaluate_sr(store, "sr-x4", sources)
    figures = evaluate_sr(store, "srgan-x4", sources)
    assert len(figures) == 2 * (5 + 3 * 4) + 1
    for title in ("Set5", "Set14"):
        for key in ("PSNR", "SSIM", PERCEPTUAL):
            assert figures[f"{title}: {key}{mixture(0)}"]["value"] == pytest.approx(
                faithful[f"{title}: {key}"]["value"]
            )
        psnrs = [figures[f"{title}: PSNR{way}"]["value"] for way in (*map(mixture, MIXTURES), "")]
        assert len(set(psnrs)) == 5
        assert min(psnrs) in (psnrs[0], psnrs[-1])  # the error is convex along a straight line
    assert figures[f"Set14: {PERCEPTUAL}"]["bar"] == "≤ 0.6"
    card = Card("made up", "other", "noise", figures=figures)
    assert len(mixture_curve(card)) == 6


def test_figures_on_spoilt_pictures_have_no_bar(store: ModelStore, sources: Sources) -> None:
    clean, real = (measure(store, "sr-x4", sources) for measure in (evaluate_sr, evaluate_sr_real))
    assert real["Set14: PSNR of bicubic"]["value"] < clean["Set14: PSNR of bicubic"]["value"]
    assert not real["Set14: PSNR"]["bar"]


@pytest.mark.parametrize("data", [(), ("empty",)])
def test_a_missing_set_is_named(data: tuple[str, ...], store: ModelStore, sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="Set5"):
        evaluate_sr(store, "sr-x4", Sources(tuple(tmp_path / name for name in data), sources.features))


@pytest.mark.skipif("IMAGEGEN_DATA" not in os.environ, reason="IMAGEGEN_DATA does not name the data sets")
def test_bicubic_gives_the_published_psnr_of_set14() -> None:
    values = []
    for _, picture in pictures_in(Path(os.environ["IMAGEGEN_DATA"]) / "photos-test" / "set14.zip"):
        photo = cropped(picture)
        bicubic = shrunk(photo).resize(photo.size, Image.Resampling.BICUBIC)
        values.append(psnr(to_tensor(bicubic), to_tensor(photo)))
    assert np.mean(values) == pytest.approx(26.1, abs=0.05)
