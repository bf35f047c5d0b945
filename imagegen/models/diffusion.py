"""Diffusion: a network that learns to take noise out of pictures, and the formulas and solvers around it.

| here | in the papers |
| --- | --- |
| `x0`, `x_t`, `noise` | picture, picture drowned in noise, ε |
| `alphas_cumprod` | ᾱ_t, the share of the picture's variance that is left at t (Ho et al. 2020) |
| `velocity` | v = √ᾱ ε - √(1 - ᾱ) x0, what the network predicts (Salimans and Ho 2022) |
| `guidance_scale` | w of classifier-free guidance: 1 is the plain model (Ho and Salimans 2022) |
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "SCHEDULES",
    "SOLVERS",
    "TIMESTEPS",
    "Denoiser",
    "Denoising",
    "betas",
    "denoise",
    "min_snr_weight",
    "predict",
    "predict_noise",
    "predict_x0",
    "q_sample",
    "snr",
    "solve",
    "solver",
    "velocity",
]

TIMESTEPS = 1_000
"""Noise levels that a network is trained on: 0 is almost the picture, the last is all noise."""
SCHEDULES = ("cosine", "linear", "scaled-linear")
SOLVERS = ("ddim", "ddpm", "dpm++", "euler", "unipc")


def betas(schedule: str) -> Tensor:
    """Share of noise that each of the `TIMESTEPS` steps adds, (T,) float64.

    linear: 0.0001 to 0.02 (Ho et al. 2020). scaled-linear: the square of a line from √0.00085 to √0.012; its last
    step keeps a shadow of the picture (latent diffusion, Rombach et al. 2022). cosine: ᾱ follows cos² down to
    almost nothing (Nichol and Dhariwal 2021).
    """
    if schedule == "linear":
        return torch.linspace(1e-4, 0.02, TIMESTEPS, dtype=torch.float64)
    if schedule == "scaled-linear":
        return torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float64).square()
    level = torch.linspace(0, 1, TIMESTEPS + 1, dtype=torch.float64)
    left = torch.cos((level + 0.008) / 1.008 * math.pi / 2).square()
    return (1 - left[1:] / left[:-1]).clamp(max=0.999)


def q_sample(x0: Tensor, noise: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """x_t = √ᾱ x0 + √(1 - ᾱ) ε (Ho et al. 2020, eq. 4); one ᾱ a picture, (B,)."""
    signal, spread = _scales(alphas_cumprod, x0)
    return signal * x0 + spread * noise


def velocity(x0: Tensor, noise: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """v = √ᾱ ε - √(1 - ᾱ) x0 (Salimans and Ho 2022): worth predicting at every noise level, even in pure noise."""
    signal, spread = _scales(alphas_cumprod, x0)
    return signal * noise - spread * x0


def predict_x0(x_t: Tensor, v: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """The picture that `x_t` and its velocity stand for: √ᾱ x_t - √(1 - ᾱ) v."""
    signal, spread = _scales(alphas_cumprod, x_t)
    return signal * x_t - spread * v


def predict_noise(x_t: Tensor, x0: Tensor, alphas_cumprod: Tensor) -> Tensor:
    """The noise that lies between a picture and `x_t`: (x_t - √ᾱ x0) / √(1 - ᾱ)."""
    signal, spread = _scales(alphas_cumprod, x_t)
    return (x_t - signal * x0) / spread


def snr(alphas_cumprod: Tensor) -> Tensor:
    """Signal-to-noise ratio ᾱ / (1 - ᾱ) (Kingma et al. 2021)."""
    return alphas_cumprod / (1 - alphas_cumprod)


def min_snr_weight(alphas_cumprod: Tensor, gamma: float) -> Tensor:
    """Weight of the squared error of v: min(SNR, γ) / (SNR + 1), so that easy levels do not rule (Hang et al. 2023)."""
    ratio = snr(alphas_cumprod)
    return ratio.clamp(max=gamma) / (ratio + 1)


def _scales(alphas_cumprod: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """√ᾱ and √(1 - ᾱ), each (B, 1, 1, 1)."""
    left = alphas_cumprod.to(like)[:, None, None, None]
    return left.sqrt(), (1 - left).sqrt()


class Denoiser(nn.Module):
    """Noisy pictures -> their velocity, by diffusers' U-Net with labels of our own.

    What is asked for is a row of numbers: 1 for yes, -1 for no and 0 for not said. A row of zeros asks for nothing,
    which is the unconditional model that guidance starts from.

    Args:
        picture: channels, height and width of what is denoised.
        labels: how many things can be asked for.
        channels: of the U-Net at each resolution, each half the one before.
        layers: residual blocks at each resolution.
        attention: at the lowest resolution, every place looks at every other.
        patch: side of the squares that are folded into channels first; 2 makes a 28x28 picture 14x14x4.
        schedule: one of `SCHEDULES`, the noise that it was trained on.
        clip: pictures lie in [-clip, clip], and so do predictions of them; None where they have no bounds.
    """

    alphas_cumprod: Tensor

    def __init__(
        self,
        picture: Sequence[int] = (1, 28, 28),
        labels: int = 10,
        channels: Sequence[int] = (64, 128),
        layers: int = 1,
        attention: bool = False,
        patch: int = 2,
        schedule: str = "cosine",
        clip: float | None = 1.0,
    ) -> None:
        from diffusers import UNet2DModel

        super().__init__()
        self.picture, self.labels = tuple(picture), labels
        self.patch, self.schedule, self.clip = patch, schedule, clip
        depth = picture[0] * patch**2
        plain = len(channels) - attention
        self.unet: Any = UNet2DModel(  # type: ignore[no-untyped-call]
            sample_size=picture[1] // patch,
            in_channels=depth,
            out_channels=depth,
            block_out_channels=tuple(channels),
            layers_per_block=layers,
            down_block_types=("DownBlock2D",) * plain + ("AttnDownBlock2D",) * attention,
            up_block_types=("AttnUpBlock2D",) * attention + ("UpBlock2D",) * plain,
            add_attention=attention,
            attention_head_dim=32,
            norm_num_groups=8,
            resnet_time_scale_shift="scale_shift",
            class_embed_type="identity",
        )
        self.label_embedding = nn.Linear(labels, 4 * channels[0], bias=False)
        self.register_buffer("alphas_cumprod", (1 - betas(schedule)).cumprod(0).float(), persistent=False)

    def forward(self, x_t: Tensor, timesteps: Tensor, labels: Tensor) -> Tensor:
        """Noisy pictures (B, C, H, W), timesteps (B,) and labels (B, L) -> velocity (B, C, H, W)."""
        x = F.pixel_unshuffle(x_t, self.patch)
        (v,) = self.unet(x, timesteps, class_labels=self.label_embedding(labels), return_dict=False)
        return F.pixel_shuffle(v, self.patch)


@dataclass(frozen=True)
class Denoising:
    """One step of a solver on a batch of pictures (B, C, H, W).

    Args:
        index: of this step, of `total`.
        timestep: its noise level.
        x_t: where it started.
        noise_pred, pred_x0: the noise and the picture that the network sees in `x_t`; the last step of every solver
            goes all the way to `pred_x0`, which is then the result.
    """

    index: int
    total: int
    timestep: int
    x_t: Tensor
    noise_pred: Tensor
    pred_x0: Tensor


def solver(name: str, steps: int, schedule: str) -> Any:
    """A diffusers scheduler ready for `steps` steps, all of them from pure noise ("trailing", Lin et al. 2024).

    It is to be given predictions of x0. ddpm: Ho et al. 2020. ddim: Song et al. 2021, and euler is the same walk in
    other coordinates (Karras et al. 2022). dpm++: Lu et al. 2022, second order. unipc: Zhao et al. 2023, the same
    with a corrector, which makes it third.
    """
    import diffusers

    classes: dict[str, Any] = {
        "ddim": (diffusers.DDIMScheduler, {"clip_sample": False}),
        "ddpm": (diffusers.DDPMScheduler, {"clip_sample": False}),
        "dpm++": (diffusers.DPMSolverMultistepScheduler, {"solver_order": 2, "final_sigmas_type": "zero"}),
        "euler": (diffusers.EulerDiscreteScheduler, {"final_sigmas_type": "zero"}),
        "unipc": (diffusers.UniPCMultistepScheduler, {"solver_order": 2, "final_sigmas_type": "zero"}),
    }
    scheduler_class, options = classes[name]
    scheduler = scheduler_class(
        num_train_timesteps=TIMESTEPS,
        trained_betas=betas(schedule).numpy(),
        prediction_type="sample",
        timestep_spacing="trailing",
        **options,
    )
    if name == "ddim":  # with eta 1 a step's variances differ by 1e-8: in float32 their difference may fall below 0
        scheduler.alphas_cumprod = (1 - betas(schedule)).cumprod(0)
    scheduler.set_timesteps(steps)
    return scheduler


def denoise(
    model: Denoiser,
    x: Tensor,
    labels: Tensor,
    rngs: list[torch.Generator],
    solver_name: str,
    steps: int,
    guidance_scale: float = 1.0,
    eta: float = 0.0,
    first: int = 0,
) -> Iterator[Denoising]:
    """From noise to pictures, step by step; drain it for the result.

    Args:
        x: pure noise (B, C, H, W), or pictures drowned to the noise level of step `first`.
        labels: what is asked for, (B, L), as in `Denoiser`.
        rngs: one a picture, on the CPU; only ddpm, and ddim with eta, draw from them.
        solver_name, steps: as in `solver`.
        guidance_scale: how far to go from the model without labels to the one with them; 1 is the latter.
        eta: of ddim, how much of ddpm's fresh noise each step adds, from none at 0 (Song et al. 2021, eq. 16).
        first: index of the step to begin with.
    """
    device = model.alphas_cumprod.device
    look = partial(predict, model, labels=labels.to(device), guidance_scale=guidance_scale)
    yield from solve(look, x.to(device), rngs, solver_name, steps, model.schedule, eta, first)


def solve(
    look: Callable[[Tensor, int], tuple[Tensor, Tensor]],
    x: Tensor,
    rngs: list[torch.Generator],
    solver_name: str,
    steps: int,
    schedule: str,
    eta: float = 0.0,
    first: int = 0,
) -> Iterator[Denoising]:
    """The walk of `denoise`, whatever network looks.

    Args:
        look: `x_t` and its noise level -> the noise and the picture that are seen in it.
        schedule: one of `SCHEDULES`, the noise that the network was trained on.
    """
    scheduler = solver(solver_name, steps, schedule)
    extra: dict[str, Any] = {"generator": rngs} if solver_name in ("ddpm", "ddim") else {}
    if solver_name == "ddim":
        extra["eta"] = eta
    x = x / scheduler.scale_model_input(torch.ones(()), scheduler.timesteps[first])  # euler walks in other coordinates
    for index in range(first, steps):
        timestep = scheduler.timesteps[index]
        x_t = scheduler.scale_model_input(x, timestep)
        noise_pred, pred_x0 = look(x_t, int(timestep))
        x = scheduler.step(pred_x0, timestep, x, return_dict=False, **extra)[0]
        yield Denoising(index, steps, int(timestep), x_t, noise_pred, pred_x0)


@torch.no_grad()
def predict(
    model: Denoiser, x_t: Tensor, timestep: int, labels: Tensor, guidance_scale: float
) -> tuple[Tensor, Tensor]:
    """Noise and picture that the model sees in `x_t` (B, C, H, W), guided (Ho and Salimans 2022, eq. 6) and clipped."""
    timesteps = torch.full((len(x_t),), timestep, device=x_t.device)
    if guidance_scale == 1:
        v = model(x_t, timesteps, labels)
    else:  # both in one batch, which is faster than one after the other
        said = torch.cat([torch.zeros_like(labels), labels])
        plain, asked = model(torch.cat([x_t, x_t]), torch.cat([timesteps, timesteps]), said).chunk(2)
        v = torch.lerp(plain, asked, guidance_scale)
    level = model.alphas_cumprod[timesteps]
    x0 = predict_x0(x_t, v, level)
    if model.clip is not None:
        x0 = x0.clamp(-model.clip, model.clip)
    return predict_noise(x_t, x0, level), x0
