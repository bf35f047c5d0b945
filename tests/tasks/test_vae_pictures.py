"""Pictures through an autoencoder: the code and what it costs, ways between two, changes and sums."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from imagegen.devices import picture_noise
from imagegen.errors import InputError
from imagegen.models.vae import (
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    importance_bound,
    kl_per_latent,
    log_weights,
    picture,
    reparametrise,
)
from imagegen.store import ModelStore
from imagegen.tasks import vae, vae_pictures
from imagegen.tasks.vae import DIGITS, FACES, PICTURES, PLAIN, DigitRequest, FaceRequest, PlaneRequest, VaeRequest
from imagegen.tasks.vae_pictures import (
    PATHS,
    SAMPLES,
    ArithmeticRequest,
    EditRequest,
    EncodeRequest,
    Encoding,
    InterpolateRequest,
    InterpolateStep,
    Posterior,
)

SAME = 1 / 255
VARIATIONAL = [name for name in PICTURES if name != PLAIN]


def shown(name: str, seed: int = 0) -> Tensor:
    """A picture (1, C, H, W) of noise as checkpoint `name` takes it."""
    return torch.rand(1, *PICTURES[name], generator=torch.Generator().manual_seed(seed)) * 2 - 1


def encode(store: ModelStore, name: str, seed: int = 0) -> Encoding:
    return vae_pictures.encode(EncodeRequest(shown(name), name, seed), store)


def posterior(store: ModelStore, name: str, seed: int = 0) -> Posterior:
    found = encode(store, name, seed).posterior
    assert found is not None
    return found


def walk(store: ModelStore, **values: Any) -> list[InterpolateStep]:
    return list(vae_pictures.interpolate(InterpolateRequest(**values), store))


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_encoded_and_decoded(name: str, store: ModelStore) -> None:
    encoding, model = encode(store, name), vae.network(name, store)
    mu, _ = model.encode(shown(name))
    assert torch.equal(encoding.mu, mu[0])
    assert torch.equal(encoding.images, model(shown(name)))
    assert encoding.images.shape == (1, *PICTURES[name])
    assert not encoding.mu.requires_grad
    assert not encoding.images.requires_grad
    assert torch.is_grad_enabled()


def test_the_plain_autoencoder_has_a_code_and_no_sigma(store: ModelStore) -> None:
    assert encode(store, PLAIN).posterior is None


@pytest.mark.parametrize("name", VARIATIONAL)
def test_samples_are_drawn_around_mu_and_decoded(name: str, store: ModelStore) -> None:
    found, model = posterior(store, name, seed=7), vae.network(name, store)
    mu, logvar = model.encode(shown(name))
    assert torch.allclose(found.sigma, (0.5 * logvar[0]).exp())
    z = mu[0] + found.sigma * picture_noise(7, SAMPLES, model.z_dim)
    assert apart(found.samples, picture(model.decode(z))) <= SAME
    assert found.samples.shape == (10, *PICTURES[name])
    assert not found.samples.requires_grad
    assert apart(found.samples[0], found.samples[1]) > SAME


@pytest.mark.parametrize("name", VARIATIONAL)
def test_samples_repeat_with_their_seed(name: str, store: ModelStore) -> None:
    first = posterior(store, name, seed=7)
    assert torch.equal(posterior(store, name, seed=7).samples, first.samples)
    assert apart(posterior(store, name, seed=8).samples[0], first.samples[1]) <= SAME
    assert posterior(store, name, seed=8).log_likelihood != first.log_likelihood


@pytest.mark.parametrize("name", VARIATIONAL)
def test_the_elbo_is_that_of_the_formulas(name: str, store: ModelStore) -> None:
    found, model = posterior(store, name), vae.network(name, store)
    x = shown(name)
    mu, logvar = model.encode(x)
    assert torch.allclose(found.kl_per_latent, kl_per_latent(mu, logvar)[0])
    z = reparametrise(mu, logvar, picture_noise(0, SAMPLES, model.z_dim))
    logits = model.decode(z)
    if name == FACES:
        log_p = gaussian_log_likelihood(x, picture(logits), torch.tensor(0.2))
    else:
        log_p = bernoulli_log_likelihood((0.5 * x + 0.5).expand_as(logits), logits)
    assert found.log_likelihood == pytest.approx(log_p.mean().item(), rel=1e-5)
    assert found.elbo == pytest.approx(log_p.mean().item() - kl_per_latent(mu, logvar).sum().item(), rel=1e-5)


def test_the_log_likelihood_of_a_grey_digit_is_the_mean_over_digits_drawn_from_it(store: ModelStore) -> None:
    x, model = shown(DIGITS), vae.network(DIGITS, store)
    rng = torch.Generator().manual_seed(0)
    drawn = torch.bernoulli((0.5 * x + 0.5).expand(400, -1, -1, -1), generator=rng)
    mu, logvar = model.encode(x)
    logits = model.decode(reparametrise(mu, logvar, picture_noise(0, SAMPLES, model.z_dim)))
    mean = torch.stack([bernoulli_log_likelihood(drawn, each.expand_as(drawn)).mean() for each in logits]).mean()
    assert posterior(store, DIGITS).log_likelihood == pytest.approx(mean.item(), rel=0.02)


def test_the_elbo_is_on_average_the_bound_of_a_single_sample(store: ModelStore) -> None:
    x, model = shown(DIGITS), vae.network(DIGITS, store)
    mu, logvar = model.encode(x)
    z = reparametrise(mu, logvar, picture_noise(0, 4_000, model.z_dim))
    logits = model.decode(z)
    log_p = bernoulli_log_likelihood((0.5 * x + 0.5).expand_as(logits), logits)
    bound = importance_bound(log_weights(log_p, z, mu, logvar)[:, None]).mean()
    expected = log_p.mean() - posterior(store, DIGITS).kl_per_latent.sum()
    assert bound.item() == pytest.approx(expected.item(), rel=0.01)


NO_PICTURES = [
    None,
    "picture",
    3.5j,
    torch.zeros(0),
    torch.zeros(1, 28, 28),
    torch.zeros(2, 1, 28, 28),
    torch.zeros(1, 1, 27, 28),
    torch.zeros(1, 3, 28, 28),
    torch.zeros(1, 3, 64, 64),
    torch.zeros(1, 1, 28, 28, dtype=torch.uint8),
    torch.full((1, 1, 28, 28), math.nan),
    torch.full((1, 1, 28, 28), math.inf),
    torch.full((1, 1, 28, 28), 255.0),
]


@pytest.mark.parametrize("bad", NO_PICTURES)
def test_only_a_digit_goes_where_a_digit_belongs(bad: Any) -> None:
    for ask in (
        lambda: EncodeRequest(bad),
        lambda: InterpolateRequest(start=bad),
        lambda: InterpolateRequest(end=bad),
        lambda: EditRequest(bad, DigitRequest()),
        lambda: ArithmeticRequest(0, bad, 0, DIGITS),
    ):
        with pytest.raises(InputError, match="vae-mnist takes one picture of 28×28 pixels"):
            ask()


def test_only_a_face_goes_where_a_face_belongs() -> None:
    for ask in (
        lambda: EncodeRequest(shown(DIGITS), FACES),
        lambda: EditRequest(shown(DIGITS), FaceRequest()),
        lambda: ArithmeticRequest(0, 1, shown(DIGITS)),
    ):
        with pytest.raises(InputError, match="vae-celeba takes one picture of 64×64 pixels"):
            ask()


@pytest.mark.parametrize("name", ["gan-mnist", "", None, 3, True])
def test_a_checkpoint_is_one_of_the_autoencoders(name: Any) -> None:
    for ask in (
        lambda: EncodeRequest(shown(DIGITS), name),
        lambda: InterpolateRequest(checkpoint=name),
        lambda: ArithmeticRequest(0, 1, 2, name),
    ):
        with pytest.raises(InputError, match="checkpoint must be one of"):
            ask()


@pytest.mark.parametrize("seed", [-1, 2**32, 10**400, 10.5, 1e9 + 0.5, math.nan, math.inf])
def test_a_seed_has_32_bits_wherever_one_is_taken(seed: Any) -> None:
    for ask in (
        lambda: EncodeRequest(shown(DIGITS), seed=seed),
        lambda: InterpolateRequest(start=seed),
        lambda: InterpolateRequest(end=seed),
        lambda: ArithmeticRequest(0, seed, 0),
    ):
        with pytest.raises(InputError, match="seed must be a whole number"):
            ask()


@pytest.mark.parametrize("value", [True, "10", None])
def test_what_is_no_number_is_no_seed(value: Any) -> None:
    with pytest.raises(InputError, match="seed must be a whole number"):
        EncodeRequest(shown(DIGITS), seed=value)
    with pytest.raises(InputError, match="takes one picture"):
        InterpolateRequest(start=value)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("frames", [1, 61, 10**9, 1e9, 10.5, True, "10", math.nan, None]),
        ("path", ["round", "", None, 1, True]),
    ],
)
def test_a_way_that_cannot_be_gone_is_refused_by_name(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=field):
            InterpolateRequest(**{field: value})


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", PICTURES)
def test_a_way_ends_at_the_two_reconstructions(name: str, path: str, store: ModelStore) -> None:
    first, last = shown(name), shown(name, seed=1)
    steps = walk(store, start=first, end=last, checkpoint=name, path=path, frames=5)
    assert [(step.index, step.total, len(step.images)) for step in steps] == [(i, 5, i) for i in range(1, 6)]
    way, model = steps[-1], vae.network(name, store)
    assert apart(way.images[:1], model(first)) <= SAME
    assert apart(way.images[-1:], model(last)) <= SAME
    assert torch.allclose(way.z[:1], model.encode(first)[0], atol=1e-4)
    assert torch.allclose(way.z[-1:], model.encode(last)[0], atol=1e-4)
    assert all(apart(a, b) > 0 for a, b in pairwise(way.images))
    assert torch.equal(steps[1].images, way.images[:2])
    assert not way.images.requires_grad


@pytest.mark.parametrize("name", VARIATIONAL)
def test_a_way_between_seeds_ends_at_their_samples(name: str, store: ModelStore) -> None:
    *_, step = walk(store, start=4, end=9, checkpoint=name, frames=3)
    kind = {DIGITS: DigitRequest, FACES: FaceRequest}.get(name, PlaneRequest)
    for seed, image in ((4, step.images[0]), (9, step.images[-1])):
        (drawn,) = vae.run(kind(count=1, seed=seed), store)
        assert apart(drawn.images[0], image) <= SAME
    assert apart(step.blend[1], (step.images[0] + step.images[2]) / 2) <= SAME


def test_a_blend_is_of_the_pictures_themselves(store: ModelStore) -> None:
    first, last = shown(DIGITS), shown(DIGITS, seed=1)
    *_, step = walk(store, start=first, end=last, frames=5)
    for i in range(5):
        assert apart(step.blend[i], (first + (last - first) * i / 4)[0]) < 1e-5


def test_a_way_may_begin_at_a_picture_and_end_at_a_seed(store: ModelStore) -> None:
    *_, step = walk(store, start=shown(DIGITS), end=3, frames=2)
    assert torch.equal(step.blend[0], shown(DIGITS)[0])
    assert torch.equal(step.z[1:], picture_noise(3, 1, 8))


def test_a_way_to_its_own_start_stands_still(store: ModelStore) -> None:
    for path in PATHS:
        *_, step = walk(store, start=4, end=4, path=path, frames=3)
        assert apart(step.images, step.images[:1].expand(3, -1, -1, -1)) <= SAME


def test_the_plain_autoencoder_draws_no_codes() -> None:
    with pytest.raises(InputError, match="ae-mnist-2d cannot draw a code; give it a picture"):
        InterpolateRequest(start=shown(PLAIN), end=3, checkpoint=PLAIN)


def test_nothing_is_decoded_before_it_is_asked_for_or_after_the_stop(store: ModelStore) -> None:
    decoded: list[int] = []
    hook = vae.network(DIGITS, store).decoder.register_forward_hook(lambda _, __, output: decoded.append(len(output)))
    steps = vae_pictures.interpolate(InterpolateRequest(shown(DIGITS), shown(DIGITS, seed=1), frames=60), store)
    assert decoded == []
    for _ in range(3):
        next(steps)
    assert torch.is_grad_enabled()
    steps.close()
    assert next(steps, None) is None
    hook.remove()
    assert decoded == [1, 1, 1]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([3.0, 0.0], [0.0, 1.0]),
        ([3.0, 0.0], [-1.0, 0.0]),
        ([3.0, 0.0], [-1.0, 1e-3]),
        ([3.0, 0.0], [-1.0, 0.1]),
        ([1.0, 1.0], [1.0, 1.0]),
        ([1.0, 1.0], [3.0, 3.0]),
        ([0.0, 0.0], [2.0, 0.0]),
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_an_arc_stays_between_the_two_radii(a: list[float], b: list[float]) -> None:
    start, end = torch.tensor([a]), torch.tensor([b])
    way = [vae_pictures.arc(start, end, i / 20) for i in range(21)]
    assert torch.allclose(way[0], start, atol=1e-4)
    assert torch.allclose(way[-1], end, atol=1e-4)
    for z in way:
        assert z.isfinite().all()
        assert z.norm() <= max(start.norm(), end.norm()) + 1e-4


def test_an_arc_turns_and_stretches_evenly() -> None:
    half = vae_pictures.arc(torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 0.5)
    assert half.norm().item() == pytest.approx(2)
    assert half[0, 0].item() == pytest.approx(half[0, 1].item())


@pytest.mark.parametrize("wanted", [DigitRequest(), PlaneRequest(offsets=(0, 0)), FaceRequest(attributes=(0,) * 17)])
def test_an_edit_of_0_is_the_reconstruction(wanted: VaeRequest, store: ModelStore) -> None:
    name = wanted.checkpoint
    step = vae_pictures.edit(EditRequest(shown(name), wanted), store)
    assert torch.equal(step.images, encode(store, name).images)
    assert torch.equal(step.z[0], encode(store, name).mu)
    assert not step.images.requires_grad


@pytest.mark.parametrize("wanted", [DigitRequest(offsets=(2, -1)), FaceRequest(count=9, seed=7, attributes=(0, 2))])
def test_an_edit_adds_to_mu_what_the_same_sliders_add_to_a_sample(wanted: VaeRequest, store: ModelStore) -> None:
    name = wanted.checkpoint
    step = vae_pictures.edit(EditRequest(shown(name), wanted), store)
    assert torch.allclose(step.z[0] - encode(store, name).mu, wanted.moves(store), atol=1e-4)
    assert step.images.shape == (1, *PICTURES[name])
    assert apart(step.images, encode(store, name).images) > SAME
    assert apart(step.images, picture(vae.network(name, store).decode(step.z))) <= SAME


def test_sums_are_of_codes(store: ModelStore) -> None:
    face, other = shown(FACES), shown(FACES, seed=1)
    step = vae_pictures.arithmetic(ArithmeticRequest(face, 5, other), store)
    mu, _ = vae.network(FACES, store).encode(torch.cat([face, other]))
    assert torch.allclose(step.z[0], mu[0] - picture_noise(5, 1, 20)[0] + mu[1], atol=1e-4)
    assert apart(step.images, picture(vae.network(FACES, store).decode(step.z))) <= SAME
    assert not step.images.requires_grad


@pytest.mark.parametrize("name", VARIATIONAL)
def test_without_itself_a_picture_is_the_third(name: str, store: ModelStore) -> None:
    step = vae_pictures.arithmetic(ArithmeticRequest(4, 4, shown(name), name), store)
    assert apart(step.images, encode(store, name).images) <= SAME
