"""The slow way of style transfer: losses by layer, where it begins, what each layer sees, and what is refused."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imagegen.errors import InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.models.perceptual import VGG_BLOCKS
from imagegen.recipes import picture_sha256
from imagegen.store import ModelStore
from imagegen.tasks import style_slow as slow
from imagegen.tasks.registry import TASKS, recipe_of, replay
from imagegen.tasks.style_slow import STYLE_LAYERS, LayersRequest, SlowRequest, SlowStep


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    """Soft random colours of 8 bits, (1, 3, H, W)."""
    rough = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    soft = torch.nn.functional.interpolate(rough, (height, width), mode="bicubic").clamp(-1, 1)
    return to_tensor(to_pictures(soft)[0])


PHOTO, PAINTING = picture(50, 70), picture(40, 40, seed=1)
SMALL: dict[str, Any] = {"size": 64, "iterations": 12}


def steps(store: ModelStore, **asked: Any) -> list[SlowStep]:
    return list(slow.run(SlowRequest(**{"photo": PHOTO, "painting": PAINTING, **SMALL, **asked}), store))


def test_every_iteration_is_a_step_and_the_loss_falls(store: ModelStore) -> None:
    run = steps(store)
    assert [step.index for step in run] == list(range(1, 13))
    assert run[-1].images.shape == (1, 3, 46, 64)
    assert run[-1].loss < 0.5 * run[0].loss
    assert [*run[0].style] == list(STYLE_LAYERS)
    assert [*run[0].content] == ["relu4_2"]
    assert run[0].content["relu4_2"] == 0  # it begins with the photo


def test_the_loss_is_that_of_the_layers_by_their_weights(store: ModelStore) -> None:
    weights = (0.0, 1.0, 2.0, 0.0, 3.0)
    first = steps(store, start="noise", content_weight=2, style_weight=7, layer_weights=weights, iterations=1)[0]
    style = sum(weight * first.style[layer] for weight, layer in zip(weights, STYLE_LAYERS, strict=True))
    assert first.loss == pytest.approx(2 * first.content["relu4_2"] + 7 * style, rel=1e-4)


def test_fewer_iterations_are_the_beginning_of_more(store: ModelStore) -> None:
    """So what Stop keeps is what its recipe makes."""
    long, short = steps(store, optimizer="adam"), steps(store, optimizer="adam", iterations=5)
    assert torch.equal(long[4].images, short[4].images)


@pytest.mark.parametrize("start", slow.STARTS)
def test_it_begins_where_it_is_told_to(start: str, store: ModelStore) -> None:
    begin = picture(30, 42, seed=5)
    first = steps(store, start=start, picture=begin, iterations=1, optimizer="adam", style_weight=0)[0].images
    fitted = slow.fitted(PHOTO, 64)
    near_photo = (first - fitted).abs().mean() < 0.05
    assert near_photo == (start == "photo")
    if start == "picture":
        resized = torch.nn.functional.interpolate(begin, first.shape[2:], mode="bicubic")
        assert (first - resized).abs().mean() < 0.05


def test_noise_is_that_of_its_seed(store: ModelStore) -> None:
    one, same, other = (steps(store, start="noise", iterations=2, seed=seed)[-1].images for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other, atol=0.1)


def test_each_layer_rebuilds_its_own(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "LAYERS_SIZE", 64)
    monkeypatch.setattr(slow, "LAYERS_ITERATIONS", 3)
    request = LayersRequest(PHOTO, PAINTING)
    seen = list(slow.layers(request, store))
    assert [step.lane for step in seen] == list(range(10)) * 3
    assert [step.index for step in seen] == list(range(1, 31))
    contents, styles = request.lanes()[:5], request.lanes()[5:]
    assert [lane.content_layer for lane in contents] == list(STYLE_LAYERS)
    assert not any(any(lane.layer_weights) for lane in contents)
    assert [sum(lane.layer_weights) for lane in styles] == [1, 2, 3, 4, 5]
    assert not any(lane.content_weight for lane in styles)


def test_gram_matrices_are_those_of_the_layers(store: ModelStore) -> None:
    request = SlowRequest(PHOTO, PAINTING, **SMALL)
    matrices = slow.grams(request, PHOTO, store)
    assert [matrices[layer].shape for layer in STYLE_LAYERS] == [(c, c) for c in (4, 8, 16, 32, 32)]
    torch.testing.assert_close(matrices["relu2_1"], matrices["relu2_1"].T)


def test_a_recipe_makes_the_picture_again(store: ModelStore) -> None:
    request = SlowRequest(PHOTO, PAINTING, **SMALL)
    *_, last = slow.run(request, store)
    recipe = recipe_of(TASKS["style-slow"], request, store)
    assert recipe.inputs == tuple(picture_sha256(to_pictures(x)[0]) for x in (PHOTO, PAINTING))
    assert (replay(recipe, store, [PHOTO, PAINTING]) - last.images).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"photo": None}, "A photo and a painting are needed"),
        ({"painting": PHOTO[0]}, "A photo and a painting are needed"),
        ({"start": "picture"}, "A photo and a painting are needed"),
        ({"photo": PHOTO[..., :4]}, "at least 32 pixels wide and high when its longer side is 64; this one has 4×50"),
        ({"photo": torch.full((1, 3, 40, 40), math.inf)}, "values from -1 to 1"),
        ({"size": 513}, "size must be a whole number from 64 to 512"),
        ({"iterations": 10**9}, "iterations must be a whole number from 1 to 1000"),
        ({"iterations": 10.5}, "iterations must be a whole number"),
        ({"iterations": True}, "iterations must be a whole number"),
        ({"optimizer": "sgd"}, "optimizer must be one of lbfgs, adam"),
        ({"features": "vgg-16"}, "features must be one of style-features, vgg-19"),
        ({"content_layer": "relu9_9"}, "content_layer must be one of"),
        ({"style_weight": math.nan}, "style_weight must be a number from 0 to 10000"),
        ({"layer_weights": (1, 1)}, "layer_weights must be 5 numbers"),
        ({"layer_weights": (1, 1, -1, 1, 1)}, "layer_weights must be 5 numbers"),
        ({"content_weight": 0, "style_weight": 0}, "Nothing is asked for"),
        ({"smoothness": -1}, "smoothness must be a number"),
        ({"seed": -1}, "seed must be a whole number"),
    ],
)
def test_what_cannot_be_painted_is_refused(asked: dict[str, Any], reason: str, store: ModelStore) -> None:
    with pytest.raises(InputError, match=reason):
        steps(store, **asked)


def test_vgg_is_used_only_where_it_lies_on_disk(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert slow.networks() == ("style-features",)
    with pytest.raises(InputError, match="not on this machine's disk"):
        steps(store, features="vgg-19")
    _write_vgg(tmp_path)
    assert slow.networks() == ("style-features", "vgg-19")
    slow._vgg.cache_clear()
    averaged, largest = (
        steps(store, features="vgg-19", pooling=pooling, start="noise", iterations=1)[0].style
        for pooling in slow.POOLINGS
    )
    assert averaged["relu1_1"] == pytest.approx(largest["relu1_1"])
    assert averaged["relu2_1"] != pytest.approx(largest["relu2_1"])
    assert len(slow.vgg_sha256()) == 64
    slow._vgg.cache_clear()


def _write_vgg(cache: Path) -> None:
    """Convolutions of made-up weights under the names that torchvision gives them, in the file that it looks for."""
    from torchvision.models import VGG19_Weights

    tensors, place, before = {}, 0, 3
    rng = torch.Generator().manual_seed(0)
    for widths in VGG_BLOCKS:
        for width in widths:
            weight = torch.randn(width, before, 3, 3, generator=rng) * (2 / (9 * before)) ** 0.5
            tensors |= {f"features.{place}.weight": weight.half(), f"features.{place}.bias": torch.zeros(width).half()}
            place, before = place + 2, width
        place += 1
    folder = cache / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(tensors, folder / VGG19_Weights.IMAGENET1K_V1.url.rpartition("/")[2])
