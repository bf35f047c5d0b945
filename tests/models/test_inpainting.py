"""Inpainting's formulas: what is outside the mask stays as it is, at every step and in the end."""

import pytest
import torch
from torch import Tensor

from imagegen.devices import picture_noise
from imagegen.models.diffusion import SOLVERS, betas, q_sample, solve
from imagegen.models.inpainting import cells, keep_outside, without_seam
from imagegen.models.text import SCHEDULE


def box(top: int, bottom: int, left: int, right: int, side: int = 16) -> Tensor:
    mask = torch.zeros(1, 1, side, side)
    mask[..., top:bottom, left:right] = 1
    return mask


def test_cells_are_painted_from_half_on_and_in_proportion_below() -> None:
    assert cells(box(0, 8, 0, 2), 2).tolist() == [[[[0.5, 0], [0, 0]]]]
    assert cells(box(0, 8, 0, 4), 2).tolist() == [[[[1, 0], [0, 0]]]]
    assert cells(box(0, 16, 0, 16), 2).tolist() == [[[[1, 1], [1, 1]]]]


@pytest.mark.parametrize("solver", SOLVERS)
def test_outside_the_walk_is_along_the_noised_picture(solver: str) -> None:
    """As if it were replaced before every step by the picture, noised to this level with the same noise."""
    latents, noise = picture_noise(1, 2, 3, 4, 4), picture_noise(5, 2, 3, 4, 4)
    mask = box(0, 2, 0, 4, side=4)
    alphas_cumprod = (1 - betas(SCHEDULE)).cumprod(0).float()

    def look(x_t: Tensor, timestep: int) -> tuple[Tensor, Tensor]:
        left = alphas_cumprod[timestep].expand(2)
        return keep_outside(x_t, torch.full_like(x_t, 0.7), latents, mask, left)

    rngs = [torch.Generator().manual_seed(seed) for seed in (8, 9)]
    for step in solve(look, noise, rngs, solver, 6, SCHEDULE):
        noised = q_sample(latents, noise, alphas_cumprod[step.timestep].expand(2))
        if solver != "ddpm":  # which adds noise of its own at each step
            assert (step.x_t - noised)[..., 2:, :].abs().max() < 2e-2
        assert torch.equal(step.pred_x0[..., 2:, :], latents[..., 2:, :])
        assert (step.pred_x0[..., :2, :] - 0.7).abs().max() < 1e-6
        again = q_sample(step.pred_x0, step.noise_pred, alphas_cumprod[step.timestep].expand(2))
        assert (again - step.x_t).abs().max() < 1e-3


def test_there_is_no_seam_where_a_copy_is_off_by_a_constant() -> None:
    rng = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, 16, 16, generator=rng) * 1.2 - 0.6
    mask = box(4, 12, 0, 9)
    made = without_seam(picture - 0.2, picture, mask)
    outside = (mask == 0).expand_as(picture)
    assert torch.equal(made[outside], picture[outside])
    off = (picture - made)[0, 0]
    assert off[4, :9].max() < 0.1, "beside the border most of the error is gone"
    assert 0.1 < off[8, 0] < 0.2, "far from it what was painted is left as it is"
    assert torch.equal(without_seam(picture - 0.2, picture, torch.ones_like(mask)), picture - 0.2)
