"""Figures of diffusion models: by solver and number of steps, the loss at each noise level, and the family's own.

All noise is drawn on the CPU, picture i's from seed i, whatever device takes it out again.
"""

from collections.abc import Callable, Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, split

from imagegen.checkpoints import ModelStore
from imagegen.data.digits import mnist
from imagegen.data.faces import faces
from imagegen.data.pictures import Sources
from imagegen.devices import generators, picture_noise
from imagegen.evaluation.anchors import ROTATED
from imagegen.evaluation.digits import COUNT, JUDGE, SEED, digit_figures
from imagegen.evaluation.distribution import fid
from imagegen.evaluation.faces import FID_FACES, face_fids, face_figures
from imagegen.evaluation.features import BATCH, as_saved, in_batches, reference_statistics
from imagegen.evaluation.measures import Figures, figure
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.classifier import DigitClassifier, DigitFeatures
from imagegen.models.diffusion import TIMESTEPS, Denoiser, denoise, q_sample, velocity
from imagegen.models.perceptual import load_squeezenet

__all__ = ["draw", "evaluate_digits", "evaluate_faces", "loss_figures"]

SOLVER, STEPS, FEW_STEPS = "unipc", 20, 10
TABLE = {
    "ddim": (5, 10, 20, 50),
    "ddpm": (50,),
    "dpm++": (5, 10, 20),
    "euler": (10,),  # ddim in other coordinates: one line shows it
    "unipc": (5, 10, 20),
}
"""Steps that each solver is measured at."""
DIGIT_GUIDANCE, FACE_GUIDANCE = (1.0, 1.25, 1.5), (1.0, 1.5, 2.0)
"""Guidance scales of which validation pictures choose one."""
BINS = 20


def evaluate_digits(store: ModelStore, name: str, sources: Sources, count: int = COUNT) -> Figures:
    """`digit_figures` of `count` digits in 20 steps, FID by solver and steps of fewer, and the loss.

    The labels asked for are those of training digits drawn at random, as for the anchors.
    """
    model = cast(Denoiser, store.get(name))
    judge = cast(DigitClassifier, store.checkpoint(JUDGE).load())
    known, labels = mnist(sources.root(), "validation")[:]
    rows = F.one_hot(labels, model.labels).float()
    near_known = _distance(judge, known)
    some = rows[: count // 20]
    guidance = min(DIGIT_GUIDANCE, key=lambda scale: near_known(draw(model, some, guidance_scale=scale)))

    asked = mnist(sources.root(), "train").labels
    asked = asked[torch.randperm(len(asked), generator=torch.Generator().manual_seed(SEED))[:count]]
    rows_asked = F.one_hot(asked, model.labels).float()
    pictures = draw(model, rows_asked, guidance_scale=guidance)
    figures = digit_figures(pictures, asked, store, sources.root())
    figures[f"FID over that of real digits {ROTATED}"]["bar"] = "≤ 0.5"
    return {
        **figures,
        "guidance": figure(guidance, f"of {DIGIT_GUIDANCE}, by the FID of {count // 20:,} from validation digits"),
        **_solver_figures(model, rows_asked, guidance, _distance(judge, mnist(sources.root(), "test")[:][0])),
        **loss_figures(model, known, rows, "validation digits"),
    }


def _solver_figures(model: Denoiser, labels: Tensor, guidance: float, distance: Callable[[Tensor], float]) -> Figures:
    """What few steps cost, measured on a fifth of the pictures, and a table of solvers, on a twentieth."""
    how = f"guidance {guidance:g}, seed {SEED}, digit-classifier features, MNIST test"

    def fids(count: int, steps: Mapping[str, tuple[int, ...]]) -> Figures:
        return {
            f"FID-{count / 1000:g}k {solver} {n} steps": figure(
                distance(draw(model, labels[:count], solver, n, guidance)), f"{count:,} pictures, {how}"
            )
            for solver in steps
            for n in steps[solver]
        }

    few_and_many = fids(len(labels) // 5, {SOLVER: (FEW_STEPS,), "ddim": (100,)})
    few, many = (entry["value"] for entry in few_and_many.values())
    return {
        f"FID of {FEW_STEPS} {SOLVER} steps over that of 100 ddim steps": figure(
            few / many, f"{len(labels) // 5:,} pictures, {how}", "≤ 1.3"
        ),
        **few_and_many,
        **fids(len(labels) // 20, TABLE),
    }


def evaluate_faces(store: ModelStore, name: str, sources: Sources, count: int = FID_FACES) -> Figures:
    """`face_figures` of `count` faces in 20 steps, and the loss; asked for are the attributes of training faces."""
    model = cast(Denoiser, store.get(name))
    autoencoder = cast(FaceAutoencoder, store.get("face-autoencoder"))
    squeezenet = load_squeezenet(sources.features).to(store.device)
    people, known = faces(sources.root(), "train"), faces(sources.root(), "validation")
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(SEED))[:count]
    rows, known_rows = people.labels[order].float() * 2 - 1, known.labels.float() * 2 - 1

    def drawn(labels: Tensor, scale: float) -> Tensor:
        return draw(model, labels, guidance_scale=scale, decode=autoencoder.decode)

    tried = {f"{scale:g}": drawn(known_rows[: count // 10], scale) for scale in FACE_GUIDANCE}
    distances = face_fids(tried, known[:][0], squeezenet)
    guidance = min(FACE_GUIDANCE, key=lambda scale: distances[f"{scale:g}"])
    latents = torch.cat([autoencoder.encode(batch.to(store.device)).cpu() for batch in split(known[:][0], BATCH)])
    how = f"of {FACE_GUIDANCE}, by the FID of {len(known_rows[: count // 10]):,} from validation faces"
    return {
        **face_figures(drawn(rows, guidance), store, sources),
        "guidance": figure(guidance, how),
        **loss_figures(model, latents, known_rows, "latents of validation faces"),
    }


def loss_figures(model: Denoiser, x0: Tensor, labels: Tensor, what: str) -> Figures:
    """Mean squared error of the velocity in each of `BINS` stretches of noise levels.

    Args:
        x0: pictures or latents (N, C, H, W), each seen at one of N levels spread evenly.
        labels: theirs, (N, L).
        what: they are, for the card.
    """
    timesteps = torch.arange(len(x0)) * TIMESTEPS // len(x0)
    level = model.alphas_cumprod.cpu()[timesteps]
    noise = picture_noise(SEED, len(x0), *model.picture)
    v = in_batches(model, q_sample(x0, noise, level), timesteps, labels)
    error = (v - velocity(x0, noise, level)).square().mean(dim=(1, 2, 3))
    width = TIMESTEPS // BINS
    bins = timesteps // width
    how = f"mean squared error of the velocity, {len(x0):,} {what}, seed {SEED}"
    return {
        f"loss at t {k * width} to {(k + 1) * width - 1}": figure(error[bins == k].mean().item(), how)
        for k in range(BINS)
    }


def draw(
    model: Denoiser,
    labels: Tensor,
    solver: str = SOLVER,
    steps: int = STEPS,
    guidance_scale: float = 1.0,
    decode: Callable[[Tensor], Tensor] = lambda pictures: pictures,
) -> Tensor:
    """A picture for each row of labels (N, L), as saved: (N, C, H, W) in [-1, 1], picture i from seed i.

    Args:
        decode: of latents.
    """
    drawn = []
    for start in range(0, len(labels), BATCH):
        rows = labels[start : start + BATCH]
        rngs = generators(SEED + start, len(rows))
        x = torch.stack([torch.randn(model.picture, generator=rng) for rng in rngs])
        *_, last = denoise(model, x, rows, rngs, solver, steps, guidance_scale)
        drawn.append(as_saved(decode(last.pred_x0)))
    return torch.cat(drawn)


def _distance(judge: DigitClassifier, real: Tensor) -> Callable[[Tensor], float]:
    """FID from these real digits."""
    reference = reference_statistics(judge, real)
    return lambda pictures: fid(DigitFeatures(judge), reference, pictures)
