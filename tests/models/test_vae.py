"""The autoencoder, and its formulas against torch.distributions and a model whose likelihood is known."""

import math
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal, kl_divergence

from imagegen.models.vae import (
    Vae,
    bernoulli_log_likelihood,
    gaussian_log_likelihood,
    importance_bound,
    kl_per_latent,
    log_weights,
    picture,
    reparametrise,
    whitened,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("channels", "size", "widths"), [(1, 28, (4, 6)), (3, 64, (4, 4, 6, 8)), (3, 32, (4,))])
def test_shapes_and_range(channels: int, size: int, widths: Sequence[int]) -> None:
    model = Vae(channels, size, z_dim=5, widths=widths, hidden=8)
    x = normal(2, channels, size, size).clamp(-1, 1)
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == (2, 5)
    assert model.decode(mu).shape == x.shape
    copy = model(x)
    assert copy.shape == x.shape
    assert copy.abs().max() <= 1
    assert torch.equal(copy, picture(model.decode(mu)))


def test_each_picture_is_coded_by_itself_and_every_code_is_another_picture() -> None:
    model = Vae(z_dim=3, widths=(4, 6), hidden=8)
    x = normal(4, 1, 28, 28).clamp(-1, 1)
    assert torch.allclose(model.encode(x)[0][1:2], model.encode(x[1:2])[0], atol=1e-5)
    pictures = picture(model.decode(10 * normal(3, 3)))
    assert (pictures[0] - pictures[1]).abs().max() > 1 / 255
    assert (pictures[0] - pictures[2]).abs().max() > 1 / 255


def test_code_and_logits_are_fp32_where_the_layers_are_not() -> None:
    model = Vae(z_dim=3, widths=(4, 6), hidden=8)
    with torch.autocast("cpu", torch.bfloat16):
        mu, logvar = model.encode(normal(2, 1, 28, 28))
        logits = model.decode(mu)
    assert mu.dtype == logvar.dtype == logits.dtype == torch.float32


def test_the_digits_network_is_as_small_as_promised() -> None:
    assert sum(p.numel() for p in Vae().parameters()) <= 1_100_000


def test_a_sample_has_the_mean_and_the_deviation_asked_for_and_passes_their_gradients() -> None:
    mu, logvar = torch.tensor([[3.0, -1.0]], requires_grad=True), torch.tensor([[0.0, -2.0]], requires_grad=True)
    z = reparametrise(mu, logvar, normal(20_000, 2))
    assert torch.allclose(z.mean(dim=0), mu[0], atol=0.03)
    assert torch.allclose(z.std(dim=0), (0.5 * logvar[0]).exp(), rtol=0.03)
    z.sum().backward()
    assert mu.grad is not None
    assert logvar.grad is not None
    assert torch.allclose(mu.grad, torch.full((1, 2), 20_000.0))
    assert logvar.grad.abs().min() > 0


def test_kl_is_that_of_two_gaussians() -> None:
    mu, logvar = normal(4, 3), normal(4, 3, seed=1)
    exact = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0))
    assert torch.allclose(kl_per_latent(mu, logvar), exact, atol=1e-5)
    assert kl_per_latent(torch.zeros(1, 2), torch.zeros(1, 2)).abs().max() == 0


def test_likelihoods_are_those_of_the_distributions() -> None:
    logits, values = normal(2, 1, 4, 4), normal(2, 1, 4, 4, seed=1)
    bits = (values > 0).float()
    exact = Bernoulli(logits=logits).log_prob(bits).sum(dim=(1, 2, 3))
    assert torch.allclose(bernoulli_log_likelihood(bits, logits), exact, atol=1e-4)
    exact = Normal(logits, 0.3).log_prob(values).sum(dim=(1, 2, 3))
    assert torch.allclose(gaussian_log_likelihood(values, logits, torch.tensor(0.3)), exact, rtol=1e-4)


def _log_w(x: float, mu: float, variance: float, samples: int) -> Tensor:
    """Of p(z) = N(0, 1), p(x | z) = N(z, 1): then p(x) = N(0, 2) and p(z | x) = N(x / 2, 1 / 2)."""
    mean, logvar = torch.tensor([[mu]]), torch.tensor([[math.log(variance)]])
    z = reparametrise(mean, logvar, normal(samples, 1))
    return log_weights(Normal(z[:, 0], 1.0).log_prob(torch.tensor(x)), z, mean, logvar)


def test_with_the_true_posterior_every_weight_is_the_likelihood() -> None:
    exact = Normal(0.0, 2**0.5).log_prob(torch.tensor(1.4)).item()
    assert torch.allclose(_log_w(1.4, 0.7, 0.5, 10), torch.full((10,), exact), atol=1e-5)


def test_with_another_posterior_more_samples_come_closer_to_the_likelihood() -> None:
    exact = Normal(0.0, 2**0.5).log_prob(torch.tensor(1.4)).item()
    log_w = _log_w(1.4, 0.0, 1.0, 100_000)
    elbo, ten, thousand = (importance_bound(log_w.view(-1, k)).mean().item() for k in (1, 10, 1000))
    assert elbo == pytest.approx(log_w.mean().item(), abs=1e-4)
    assert elbo + 0.1 < ten < thousand < exact + 0.01
    assert thousand == pytest.approx(exact, abs=0.01)


def test_a_whitened_autoencoder_copies_as_before_and_its_codes_are_standard_normal() -> None:
    args = {"z_dim": 4, "widths": (4, 6), "hidden": 8}
    model, x = Vae(**args), normal(500, 1, 28, 28)
    with torch.no_grad():
        mu, logvar = model.encode(x)
        turned = whitened(model, mu.mean(dim=0), mu.T.cov() + logvar.exp().mean(dim=0).diag(), **args)
        new_mu, new_logvar = turned.encode(x)
        assert torch.allclose(turned(x), model(x), atol=1e-4)
        assert torch.allclose(new_mu.mean(dim=0), torch.zeros(4), atol=1e-3)
        covariance = new_mu.T.cov() + new_logvar.exp().mean(dim=0).diag()
        assert torch.allclose(covariance.diagonal(), torch.ones(4), atol=1e-2)
        assert kl_per_latent(new_mu, new_logvar).sum() < kl_per_latent(mu, logvar).sum()
        # A code of z comes out as the same code of the new axes: their samples are decoded to the same pictures.
        axes = turned.encoder[-1]
        z = reparametrise(mu[:3], logvar[:3], normal(3, 4))
        assert torch.allclose(turned.decode((z - axes.mean) @ axes.axes), model.decode(z), atol=1e-3)


def test_whitening_puts_the_largest_direction_first() -> None:
    args = {"z_dim": 3, "widths": (4, 6), "hidden": 8}
    turned = whitened(Vae(**args), torch.zeros(3), torch.tensor([1e-4, 9.0, 1.0]).diag(), **args)
    axes = turned.encoder[-1].axes
    assert torch.allclose(axes.abs().T, torch.tensor([[0, 1 / 3, 0], [0, 0, 1], [100, 0, 0]]), atol=1e-4)
