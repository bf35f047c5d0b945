"""VGG-19 and SqueezeNet: the given files load whole, and give what torchvision's own code gives."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import VGG19_Weights, squeezenet1_1, vgg19

from imagegen.errors import CheckpointError
from imagegen.models.perceptual import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    SQUEEZENET_FILE,
    VGG_FILE,
    SqueezeNet,
    Vgg19,
    load_squeezenet,
    load_vgg,
)


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.rand(2, 3, 64, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_squeezenet_is_torchvisions(pictures: torch.Tensor, tmp_path: Path) -> None:
    theirs = squeezenet1_1(weights=None).eval()
    save_file({key: tensor.contiguous() for key, tensor in theirs.state_dict().items()}, tmp_path / SQUEEZENET_FILE)
    with torch.no_grad():
        outputs = load_squeezenet(tmp_path)(pictures)
        assert torch.allclose(outputs[-1], theirs.features(pictures * 0.5 + 0.5), atol=1e-6)
        assert torch.allclose(outputs[0], theirs.features[:2](pictures * 0.5 + 0.5), atol=1e-6)
    assert [output.shape[1] for output in outputs] == [64, 128, 256, 384, 384, 512, 512]


def test_torchvisions_weights_come_with_their_normalisation(
    pictures: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, squeeze = vgg19(weights=None).eval(), squeezenet1_1(weights=None).eval()
    monkeypatch.setattr(VGG19_Weights, "get_state_dict", lambda *_, **__: theirs.state_dict())
    monkeypatch.setattr("torchvision.models.squeezenet1_1", lambda weights: squeeze)
    normalised = (pictures * 0.5 + 0.5 - IMAGENET_MEAN[:, None, None]) / IMAGENET_STD[:, None, None]
    with torch.no_grad():
        features = load_vgg(None, "relu5_1")(pictures)
        assert torch.allclose(features["relu1_1"], theirs.features[:2](normalised), atol=1e-5)
        assert torch.allclose(features["relu5_1"], theirs.features[:30](normalised), atol=1e-5)
        assert torch.allclose(load_squeezenet(None)(pictures)[-1], squeeze.features(normalised), atol=1e-5)


def test_vgg_of_a_folder(pictures: torch.Tensor, tmp_path: Path) -> None:
    model = Vgg19("relu3_1", "reflect")
    names = {name: f"conv{name.removeprefix('relu')}" for name in model.layers}
    tensors = {}
    for key, tensor in model.state_dict().items():
        owner, _, kind = key.removeprefix("layers.").rpartition(".")
        tensors[f"{names.get(owner, owner)}.{kind}"] = tensor
    save_file(tensors, tmp_path / VGG_FILE)
    loaded = load_vgg(tmp_path)
    assert list(loaded(pictures)) == ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1"]
    assert torch.equal(loaded(pictures)["relu3_1"], model(pictures)["relu3_1"])
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    with pytest.raises(CheckpointError, match=r"holds no layers.relu3_2"):
        load_vgg(tmp_path, "relu3_2")


def test_a_missing_file_is_named_with_the_option(tmp_path: Path) -> None:
    for load in (load_vgg, load_squeezenet):
        with pytest.raises(CheckpointError, match="name its folder with --features"):
            load(tmp_path)


def test_average_pooling_is_another_network(pictures: torch.Tensor) -> None:
    most = Vgg19("relu2_1")
    mean = Vgg19("relu2_1", average=True)
    mean.load_state_dict(most.state_dict())
    with torch.no_grad():
        assert torch.equal(most(pictures)["relu1_2"], mean(pictures)["relu1_2"])
        assert not torch.equal(most(pictures)["relu2_1"], mean(pictures)["relu2_1"])


def test_stages_are_where_lpips_looks() -> None:
    assert SqueezeNet.STAGES == (1, 4, 7, 9, 10, 11, 12)


@pytest.mark.skipif("IMAGEGEN_FEATURES" not in os.environ, reason="IMAGEGEN_FEATURES is not set")
def test_the_given_files_load(pictures: torch.Tensor) -> None:
    folder = Path(os.environ["IMAGEGEN_FEATURES"])
    with torch.no_grad():
        means = [features.mean().item() for features in load_vgg(folder)(pictures).values()]
        assert all(torch.isfinite(output).all() for output in load_squeezenet(folder)(pictures))
    assert all(0 < mean < 10 for mean in means)
