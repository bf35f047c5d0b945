"""Figures of the autoencoders: how likely real pictures are, what the code costs, copies, samples and paths.

Networks compute on the store's device, in fp32; all noise is drawn on the CPU from fixed seeds.
"""

from typing import cast

import torch
from torch import Tensor, nn, split

from imagegen.data.digits import mnist
from imagegen.data.faces import faces
from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation.digits import COUNT, JUDGE, SEED, digit_figures
from imagegen.evaluation.faces import face_figures
from imagegen.evaluation.features import as_saved, in_batches
from imagegen.evaluation.measures import Figures, copies, figure, without_bars
from imagegen.models import vae
from imagegen.models.classifier import DigitClassifier, DigitFeatures
from imagegen.store import ModelStore
from imagegen.tasks.vae import ACTIVE

__all__ = [
    "evaluate_autoencoder",
    "evaluate_digits",
    "evaluate_faces",
    "likelihood",
    "roughness",
]

LIKELIHOOD_COUNT = 2_000
SAMPLES = 500
BAR = "≤ 90"
"""Nats; two latents are there to be looked at and cannot reach it."""
PAIRS, POINTS = 200, 21
"""Paths whose smoothness is measured, and places on each, ends included."""
FACES = 1_000
FACE_SAMPLES = 5_000


def evaluate_digits(store: ModelStore, name: str, sources: Sources, count: int = COUNT) -> Figures:
    """Likelihood of test digits, and all that `evaluate_autoencoder` measures."""
    model = cast(vae.Vae, store.get(name))
    test, _ = mnist(sources.root(), "test")[:LIKELIHOOD_COUNT]
    bar = "" if model.z_dim == 2 else BAR
    return likelihood(model, test, SAMPLES, bar) | evaluate_autoencoder(store, name, sources, count)


def evaluate_autoencoder(store: ModelStore, name: str, sources: Sources, count: int = COUNT) -> Figures:
    """Copies of test digits, paths between them, and pictures of codes drawn from N(0, 1), decoded without noise."""
    model = cast(vae.Vae, store.get(name))
    test, _ = mnist(sources.root(), "test")[:]
    judge = DigitFeatures(cast(DigitClassifier, store.checkpoint(JUDGE).load()))
    return {
        **copies(model, test, f"{len(test):,} digits of MNIST test"),
        "roughness of paths": figure(
            roughness(model, judge, test),
            f"greatest over mean step along straight lines between the codes of two test digits, {POINTS} places "
            f"each, mean of {PAIRS} lines; steps measured in digit-classifier features",
            "1: perfectly even",
        ),
        **without_bars(digit_figures(_samples(model, count), None, store, sources.root())),
    }


def evaluate_faces(store: ModelStore, name: str, sources: Sources, count: int = FACE_SAMPLES) -> Figures:
    """Copies and likelihood of held-out faces, and pictures of codes drawn from N(0, 1)."""
    model = cast(vae.Vae, store.get(name))
    held_out, _ = faces(sources.root(), "test")[:FACES]
    how = f"{len(held_out):,} held-out faces of CelebA"
    return {
        **copies(model, held_out, how),
        **_face_elbo(model, held_out, store.asset(name, "sigma"), how),
        **without_bars(face_figures(_samples(model, count), store, sources)),
    }


@torch.no_grad()
def likelihood(model: vae.Vae, pictures: Tensor, samples: int, bar: str = "") -> Figures:
    """The importance-weighted bound on -log p(x), and the two parts of the ELBO, in nats a digit.

    Args:
        pictures: (N, 1, H, W) in [-1, 1]; each pixel is drawn black or white once, by its grey level.
        samples: of the code, for each digit.
        bar: what the bound is held against.
    """
    rng = torch.Generator().manual_seed(SEED)
    device = next(model.parameters()).device
    x = torch.bernoulli(0.5 * pictures + 0.5, generator=rng)
    bounds, reconstructions, costs = [], [], []
    for digit in split(x, 1):
        digit = digit.to(device)
        mu, logvar = model.encode(2 * digit - 1)
        noise = torch.randn(samples, model.z_dim, generator=rng).to(device)
        z = vae.reparametrise(mu, logvar, noise)
        log_p = vae.bernoulli_log_likelihood(digit.expand(samples, -1, -1, -1), model.decode(z))
        bounds.append(vae.importance_bound(vae.log_weights(log_p, z, mu, logvar)[None]))
        reconstructions.append(-log_p.mean())
        costs.append(vae.kl_per_latent(mu, logvar)[0])
    nll = -torch.cat(bounds).cpu()
    how = f"first {len(x):,} digits of MNIST test, pixels drawn black or white by their grey level, seed {SEED}"
    return {
        "NLL bound": figure(
            nll.mean().item(),
            f"nats; importance-weighted, k = {samples}; {how}; standard error {nll.std().item() / len(nll) ** 0.5:.2g}",
            bar,
        ),
        **_elbo(torch.stack(reconstructions).mean().item(), torch.stack(costs).mean(dim=0), how),
    }


@torch.no_grad()
def roughness(model: vae.Vae, judge: nn.Module, pictures: Tensor) -> float:
    """Greatest over mean step in the judge's features on the way from one code to another; mean over pairs.

    Args:
        judge: pictures (B, C, H, W) -> features (B, F).
        pictures: (N, C, H, W); the first is paired with the second, the third with the fourth ...
    """
    codes = in_batches(model.encoder, pictures[: 2 * PAIRS])[:, : model.z_dim]
    t = torch.linspace(0, 1, POINTS)[:, None]
    ways = torch.lerp(codes[0::2, None], codes[1::2, None], t)  # (pairs, POINTS, z_dim)
    features = in_batches(judge, vae.picture(in_batches(model.decoder, ways.flatten(0, 1))))
    steps = features.view(-1, POINTS, features.shape[1]).diff(dim=1).norm(dim=2)  # (pairs, POINTS - 1)
    return float((steps.amax(dim=1) / steps.mean(dim=1)).mean())


def _face_elbo(model: vae.Vae, pictures: Tensor, sigma: Tensor, how: str) -> Figures:
    code = in_batches(model.encoder, pictures)
    mu, logvar = code.chunk(2, dim=1)
    z = vae.reparametrise(mu, logvar, picture_noise(SEED, len(mu), model.z_dim))
    shown = vae.picture(in_batches(model.decoder, z))
    log_p = vae.gaussian_log_likelihood(pictures, shown, sigma)
    spread = f"Gaussian of standard deviation {sigma.item():.3g} on [-1, 1]; {how}"
    return _elbo(-log_p.mean().item(), vae.kl_per_latent(mu, logvar).mean(dim=0), spread)


def _elbo(reconstruction: float, costs: Tensor, how: str) -> Figures:
    """Both parts of -ELBO and how many latents are used, from the KL of each latent (z_dim,)."""
    sorted_costs = ", ".join(f"{cost:.2f}" for cost in costs.sort(descending=True).values.tolist())
    kl = costs.sum().item()
    return {
        "-ELBO": figure(reconstruction + kl, f"nats; {how}"),
        "reconstruction": figure(reconstruction, f"nats, the first part of -ELBO; {how}"),
        "KL": figure(kl, f"nats, the second part of -ELBO; {how}"),
        "latents in use": figure(
            float((costs > ACTIVE).sum()), f"of {len(costs)}, KL > {ACTIVE} nats; KL of each: {sorted_costs}"
        ),
    }


def _samples(model: vae.Vae, count: int) -> Tensor:
    """Pictures as saved, picture i of a code from seed i."""
    return as_saved(vae.picture(in_batches(model.decoder, picture_noise(SEED, count, model.z_dim))))
