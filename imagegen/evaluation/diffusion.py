"""Figures of diffusion models: the family's own, the loss at each noise level, and FID by solver and number of steps.

All noise is drawn on the CPU, picture i's from seed i, whatever device takes it out again.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, split

from imagegen.data.digits import mnist
from imagegen.data.faces import faces
from imagegen.data.pictures import Sources
from imagegen.devices import generators, picture_noise
from imagegen.evaluation.anchors import ROTATED
from imagegen.evaluation.curves import fid_name, loss_name
from imagegen.evaluation.digits import COUNT, JUDGE, SEED, digit_figures
from imagegen.evaluation.distribution import fid_from
from imagegen.evaluation.faces import FID_FACES, FaceFeatures, face_figures
from imagegen.evaluation.features import BATCH, as_saved, in_batches
from imagegen.evaluation.measures import Figures, figure
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.classifier import DigitClassifier, DigitFeatures
from imagegen.models.diffusion import SOLVERS, TIMESTEPS, Denoiser, denoise, q_sample, velocity
from imagegen.models.perceptual import load_squeezenet
from imagegen.store import ModelStore

__all__ = ["draw", "evaluate_digits", "evaluate_faces", "loss_figures"]

SOLVER, STEPS = "unipc", 20
DIGIT_SOLVER = "ddpm"
"""Digits come nearest to real ones by the solver that adds noise at every step: it takes back errors of the others."""
FEW_STEPS, MANY_STEPS = 10, 100
TABLE_STEPS = (5, 10, 20, 50, 100)
"""Steps that each solver is measured at."""
SOME, FEW = 500, 2_000
"""Pictures behind a choice of guidance, and behind each FID of the table. With 250 of them fewer steps looked better
the fewer they were: the bias of a FID from few pictures is smaller where they vary less."""
DIGIT_GUIDANCE, FACE_GUIDANCE = (1.0, 1.25), (1.0, 1.5, 2.0)
"""Guidance scales of which validation pictures choose one."""
BINS = 20


def evaluate_digits(store: ModelStore, name: str, sources: Sources, count: int = COUNT) -> Iterator[Figures]:
    """`digit_figures` of `count` digits in 20 ddpm steps, then the loss, then what few steps and other solvers cost.

    The labels asked for are those of training digits drawn at random, as for the anchors.
    """
    model = cast(Denoiser, store.get(name))
    judge = DigitFeatures(cast(DigitClassifier, store.checkpoint(JUDGE).load()))
    known, labels = mnist(sources.root(), "validation")[:]
    known_rows = F.one_hot(labels, model.labels).float()
    asked = mnist(sources.root(), "train").labels
    asked = asked[torch.randperm(len(asked), generator=torch.Generator().manual_seed(SEED))[:count]]
    rows = F.one_hot(asked, model.labels).float()

    drawn = partial(draw, model, solver=DIGIT_SOLVER)
    guidance = _best(DIGIT_GUIDANCE, partial(drawn, known_rows), fid_from(judge, known))
    what = f"pictures in {STEPS} {DIGIT_SOLVER} steps with guidance {guidance:g}"
    figures = digit_figures(drawn(rows, guidance_scale=guidance), asked, store, sources.root(), what)
    figures[f"FID over that of real digits {ROTATED}"]["bar"] = "≤ 0.5"
    how = f"of {DIGIT_GUIDANCE}, by the FID of {len(known_rows):,} from validation digits, {STEPS} {DIGIT_SOLVER} steps"
    yield {**figures, "guidance": figure(guidance, how)}
    yield loss_figures(model, known, known_rows, "validation digits")
    how = f"no guidance, seed {SEED}, digit-classifier features, MNIST test"
    yield from _solver_figures(
        partial(draw, model), rows, fid_from(judge, mnist(sources.root(), "test")[:][0]), store.device, how
    )


def evaluate_faces(store: ModelStore, name: str, sources: Sources, count: int = FID_FACES) -> Iterator[Figures]:
    """`face_figures` of `count` faces in 20 steps, then the loss, then what few steps and other solvers cost.

    The attributes asked for are those of training faces drawn at random.
    """
    model = cast(Denoiser, store.get(name))
    autoencoder = cast(FaceAutoencoder, store.get("face-autoencoder"))
    judge = FaceFeatures(load_squeezenet(sources.features).to(store.device))
    people, known = faces(sources.root(), "train"), faces(sources.root(), "validation")
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(SEED))[:count]
    rows, known_rows = people.labels[order].float() * 2 - 1, known.labels.float() * 2 - 1

    draw_faces = partial(draw, model, decode=autoencoder.decode)
    guidance = _best(FACE_GUIDANCE, partial(draw_faces, known_rows[:SOME]), fid_from(judge, known[:][0]))
    what = f"pictures in {STEPS} {SOLVER} steps with guidance {guidance:g}"
    figures = face_figures(draw_faces(rows, guidance_scale=guidance), store, sources, what)
    how = f"of {FACE_GUIDANCE}, by the FID of {len(known_rows[:SOME]):,} from validation faces, {STEPS} {SOLVER} steps"
    yield {**figures, "guidance": figure(guidance, how)}
    latents = torch.cat([autoencoder.encode(batch.to(store.device)).cpu() for batch in split(known[:][0], BATCH)])
    yield loss_figures(model, latents, known_rows, "latents of validation faces")
    held_out, _ = faces(sources.root(), "test")[:]
    how = f"no guidance, seed {SEED}, SqueezeNet features, {len(held_out):,} held-out faces of CelebA"
    yield from _solver_figures(draw_faces, rows, fid_from(judge, held_out), store.device, how)


def _best(scales: tuple[float, ...], drawn: Callable[..., Tensor], distance: Callable[[Tensor], float]) -> float:
    """The guidance scale whose pictures are nearest."""
    return min(scales, key=lambda scale: distance(drawn(guidance_scale=scale)))


def _solver_figures(
    drawn: Callable[..., Tensor], labels: Tensor, distance: Callable[[Tensor], float], device: torch.device, how: str
) -> Iterator[Figures]:
    """What few steps cost, measured on a tenth of the pictures, then solver by solver a table, on `FEW` of them.

    Args:
        drawn: (labels, solver, steps) -> pictures.
        labels: what to ask for, (N, L).
        distance: of pictures from real ones.
        device: where they are drawn.
        how: all this was, for the card.

    In bf16, which is twice as fast on a CPU; 55 dB apart from full precision, it tells solvers apart as well.
    """

    def fid_of(rows: Tensor, solver: str, steps: int) -> float:
        with torch.autocast(device.type, torch.bfloat16):
            pictures = drawn(rows, solver, steps)
        return distance(pictures.float())

    how = f"bf16, {how}"
    tenth, some = labels[: len(labels) // 10], labels[:FEW]
    few, many = (fid_of(tenth, *run) for run in ((SOLVER, FEW_STEPS), ("ddim", MANY_STEPS)))
    thousands, how_few = f"{len(tenth) / 1000:g}k", f"{len(tenth):,} pictures, {how}"
    yield {
        f"FID of {FEW_STEPS} {SOLVER} steps over that of {MANY_STEPS} ddim steps": figure(few / many, how_few, "≤ 1.3"),
        f"FID-{thousands} of {FEW_STEPS} {SOLVER} steps": figure(few, how_few),
        f"FID-{thousands} of {MANY_STEPS} ddim steps": figure(many, how_few),
    }
    how_some = f"{len(some):,} pictures, too few to hold against other FIDs; {how}"
    for solver in SOLVERS:
        yield {
            fid_name(len(some), solver, steps): figure(fid_of(some, solver, steps), how_some) for steps in TABLE_STEPS
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
    return {loss_name(k * width, (k + 1) * width - 1): figure(error[bins == k].mean().item(), how) for k in range(BINS)}


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
