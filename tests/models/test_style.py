"""Gram matrices, losses and the fast network, held to what they are defined by."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
from torch import Tensor, nn

from imagegen.models.gatys import GatysStep, gatys
from imagegen.models.style import (
    FastStyle,
    FeatureNetwork,
    Objective,
    distance,
    gram,
    total_variation,
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def network() -> FeatureNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = FeatureNetwork(width=4).requires_grad_(False)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    network(noise(8, 3, 64, 64))  # the statistics of a trained one
    return network.eval()


@pytest.fixture(scope="module")
def objective(network: FeatureNetwork) -> Objective:
    return Objective(partial(network.features, last="relu3_1"))


@pytest.fixture(scope="module")
def fast() -> FastStyle:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return FastStyle(code=8, width=12, blocks=1).eval().requires_grad_(False)


def test_a_gram_matrix_is_the_mean_product_of_two_channels() -> None:
    features = noise(2, 3, 4, 5)
    for i in range(3):
        for j in range(3):
            expected = (features[:, i] * features[:, j]).mean(dim=(1, 2))
            torch.testing.assert_close(gram(features)[:, i, j], expected)


def test_a_gram_matrix_forgets_where_things_are() -> None:
    features = noise(1, 3, 4, 4)
    shuffled = features.flatten(2)[..., torch.randperm(16, generator=torch.Generator().manual_seed(1))]
    torch.testing.assert_close(gram(shuffled.unflatten(2, (4, 4))), gram(features))


def test_a_gram_matrix_is_exact_in_autocast() -> None:
    features = noise(1, 3, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        seen = gram(features)
    assert torch.equal(seen, gram(features))


def test_total_variation_counts_steps_between_neighbours() -> None:
    checks = (torch.arange(4)[:, None] + torch.arange(4)) % 2 * 2.0 - 1
    pictures = torch.stack([checks, torch.zeros(4, 4)])[:, None].expand(-1, 3, -1, -1)
    torch.testing.assert_close(total_variation(pictures), torch.tensor([4.0, 0.0]))


def test_a_distance_is_summed_over_layers_and_kept_apart_by_picture() -> None:
    ours, theirs = [torch.zeros(2, 3, 4), torch.zeros(2, 5)], [torch.ones(2, 3, 4), torch.zeros(2, 5)]
    theirs[1][1] = 3
    torch.testing.assert_close(distance(ours, theirs), torch.tensor([1.0, 10.0]))


def test_an_objective_compares_every_layer_at_every_scale(objective: Objective) -> None:
    contents, grams = objective.measure(noise(2, 3, 32, 48))
    assert [tuple(content.shape) for content in contents] == [(2, 16, 8, 12), (2, 16, 4, 6), (2, 16, 2, 3)]
    assert [tuple(matrix.shape) for matrix in grams] == [(2, 4, 4), (2, 8, 8), (2, 16, 16)] * 3


def test_an_objective_is_zero_for_the_same_picture_only(objective: Objective) -> None:
    pictures = noise(2, 3, 32, 32)
    contents, grams = objective.measure(pictures)
    content, style = objective.losses(pictures, contents, grams)
    assert content.eq(0).all()
    assert style.eq(0).all()
    content, style = objective.losses(pictures.flip(3) * 0.5, contents, grams)
    assert content.gt(0).all()
    assert style.gt(0).all()


def test_style_looks_for_textures_and_content_for_places(objective: Objective) -> None:
    """A picture moved by some pixels keeps its style but not its content; a paler one, its content better."""
    picture = noise(1, 3, 64, 64)
    contents, grams = objective.measure(picture)
    moved_content, moved_style = objective.losses(picture.roll((13, 7), (2, 3)), contents, grams)
    paler_content, paler_style = objective.losses(0.85 * picture, contents, grams)
    assert moved_style < 0.5 * paler_style
    assert moved_content > 2 * paler_content


def whole(step: GatysStep) -> float:
    return step.content + 3 * step.style


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_gatys_lowers_the_loss_and_leaves_its_inputs_alone(objective: Objective, optimizer: str) -> None:
    photo, painting = noise(1, 3, 32, 32) * 0.5, noise(1, 3, 48, 32, seed=1).sign()
    before = photo.clone(), painting.clone()
    steps = list(gatys(objective, photo, painting, iterations=40, optimizer=optimizer))
    assert [step.index for step in steps] == list(range(1, 41))
    assert whole(steps[-1]) < 0.5 * whole(steps[0])
    assert steps[-1].picture.abs().max() <= 1
    assert steps[0].picture.shape == photo.shape
    assert not torch.equal(steps[0].picture, steps[-1].picture)
    assert torch.equal(photo, before[0])
    assert torch.equal(painting, before[1])


def test_gatys_starts_where_it_is_told_to(objective: Objective) -> None:
    photo, painting = noise(1, 3, 32, 32), noise(1, 3, 32, 32, seed=1)
    first = next(gatys(objective, photo, painting, start=painting))
    assert first.style == 0
    assert first.content > 0


def test_gatys_tells_the_losses_of_each_layer_and_weighs_them(objective: Objective) -> None:
    photo, painting = noise(1, 3, 32, 32), noise(1, 3, 32, 32, seed=1)
    plain, weighted = (
        next(gatys(objective, photo, painting, layer_weights=weights, start=painting * 0.5))
        for weights in (None, (0.0, 2.0, 1.0))
    )
    assert [*plain.style_layers] == ["relu1_1", "relu2_1", "relu3_1"]
    assert [*plain.content_layers] == ["relu3_1"]
    assert weighted.style_layers == plain.style_layers
    assert plain.style == pytest.approx(sum(plain.style_layers.values()), rel=1e-4)
    first, second, third = plain.style_layers.values()
    assert weighted.style == pytest.approx(2 * second + third, rel=1e-4)
    assert first > 0


def test_gatys_rebuilds_a_photo_from_its_content_alone(objective: Objective) -> None:
    photo, painting = noise(1, 3, 32, 32), noise(1, 3, 32, 32, seed=1)
    begin = noise(1, 3, 32, 32, seed=2)
    first, *_, last = gatys(objective, photo, painting, 60, start=begin, layer_weights=(0.0, 0.0, 0.0))
    assert last.style == 0
    assert last.content < 0.05 * first.content
    assert (last.picture - photo).square().mean() < (begin - photo).square().mean()


def test_tiles_with_the_moments_of_the_whole_are_parts_of_the_whole(fast: FastStyle) -> None:
    photo, code = noise(1, 3, 64, 256), fast.encode(noise(1, 3, 32, 32, seed=1))
    whole, moments = fast.paint(photo, code), fast.moments(photo, code)
    left = fast.paint(photo[..., :160], code, moments)
    torch.testing.assert_close(left[..., :96], whole[..., :96], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(fast.paint(photo[..., :160], code)[..., :96], whole[..., :96], atol=1e-3)


def test_gatys_smooths_when_asked(objective: Objective) -> None:
    photo = noise(1, 3, 32, 32)
    *_, free = gatys(objective, photo, photo.flip(2), iterations=15)
    *_, smooth = gatys(objective, photo, photo.flip(2), iterations=15, smoothness=100)
    assert total_variation(smooth.picture) < 0.8 * total_variation(free.picture)


def test_gatys_goes_on_in_any_thread_and_grad_mode(objective: Objective) -> None:
    photo, painting = noise(1, 3, 32, 32), noise(1, 3, 32, 32, seed=1)
    *_, expected = gatys(objective, photo, painting, iterations=3)
    steps = gatys(objective, photo, painting, iterations=3)
    with torch.no_grad():
        next(steps)
        assert not torch.is_grad_enabled()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(next, steps).result()
    assert torch.equal(next(steps).picture, expected.picture)


def test_the_feature_network_has_the_layers_of_vgg_at_their_sizes(network: FeatureNetwork) -> None:
    features = network.features(noise(1, 3, 64, 32))
    assert [*features] == [f"relu{name}" for name in ("1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "4_1", "4_2", "5_1")]
    assert features["relu1_2"].shape == (1, 4, 64, 32)
    assert features["relu4_2"].shape == (1, 32, 8, 4)
    assert features["relu5_1"].shape == (1, 32, 4, 2)
    assert all(network.channels[layer] == feature.shape[1] for layer, feature in features.items())
    assert torch.equal(network(noise(1, 3, 64, 32)), features["relu5_1"])
    assert [*network.features(noise(1, 3, 8, 8), last="relu2_1")] == ["relu1_1", "relu1_2", "relu2_1"]


def test_the_shipped_networks_are_small() -> None:
    assert sum(p.numel() for p in FeatureNetwork().parameters()) < 1_000_000
    assert sum(p.numel() for p in FastStyle().parameters()) < 700_000


@pytest.mark.parametrize("size", [(32, 32), (36, 60)])
def test_a_painted_photo_has_its_own_size(fast: FastStyle, size: tuple[int, int]) -> None:
    painted = fast(noise(2, 3, *size), noise(2, 3, 40, 24))
    assert painted.shape == (2, 3, *size)
    assert painted.abs().max() <= 1


def test_each_photo_is_painted_by_itself(fast: FastStyle) -> None:
    photos, paintings = noise(3, 3, 32, 32), noise(3, 3, 32, 32, seed=1)
    together = fast(photos, paintings)
    alone = torch.cat([fast(photos[i : i + 1], paintings[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_the_code_is_the_style(fast: FastStyle) -> None:
    photos, paintings = noise(2, 3, 32, 32), noise(2, 3, 32, 32, seed=1) * torch.tensor([1.0, 0.2]).view(2, 1, 1, 1)
    codes = fast.encode(paintings)
    assert codes.shape == (2, 8)
    assert torch.equal(fast.paint(photos, codes), fast(photos, paintings))
    assert not torch.allclose(fast.paint(photos, codes), fast.paint(photos, codes.flip(0)), atol=1e-3)


def test_a_code_forgets_where_things_are(fast: FastStyle) -> None:
    painting = noise(1, 3, 64, 64)
    code, flipped, other = (fast.encode(x) for x in (painting, painting.roll(16, 3), 0.3 * painting))
    assert (code - flipped).norm() < 0.2 * (code - other).norm()
