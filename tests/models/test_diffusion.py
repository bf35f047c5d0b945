"""Diffusion's formulas where they must invert each other, and its solvers where the true path is known."""

import math

import pytest
import torch
from exact_denoiser import ExactDenoiser
from torch import Tensor

from imagegen.devices import generators
from imagegen.models.diffusion import (
    SCHEDULES,
    SOLVERS,
    TIMESTEPS,
    Denoiser,
    Denoising,
    betas,
    denoise,
    min_snr_weight,
    predict_noise,
    predict_x0,
    q_sample,
    snr,
    solver,
    velocity,
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def tiny() -> Denoiser:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return Denoiser(picture=(1, 8, 8), labels=3, channels=(8, 16)).eval().requires_grad_(False)


def last(steps: object) -> Denoising:
    *_, end = steps  # type: ignore[misc]
    assert isinstance(end, Denoising)
    return end


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_noise_only_grows(schedule: str) -> None:
    added = betas(schedule)
    left = (1 - added).cumprod(0)
    assert added.shape == (TIMESTEPS,)
    assert ((added > 0) & (added < 1)).all()
    assert left[0] > 0.999
    assert left[-1] < 0.005


def test_cosine_ends_in_pure_noise_and_scaled_linear_in_a_shadow() -> None:
    left = {schedule: float((1 - betas(schedule)).prod()) for schedule in SCHEDULES}
    assert left["cosine"] < 1e-8
    assert left["linear"] == pytest.approx(4e-5, rel=0.02)
    assert left["scaled-linear"] == pytest.approx(0.0047, rel=0.02)


def test_picture_and_noise_come_back_from_the_velocity() -> None:
    x0, noise, level = normal(3, 1, 4, 4), normal(3, 1, 4, 4, seed=1), torch.tensor([0.9, 0.5, 0.1])
    x_t, v = q_sample(x0, noise, level), velocity(x0, noise, level)
    assert torch.allclose(predict_x0(x_t, v, level), x0, atol=1e-6)
    assert torch.allclose(predict_noise(x_t, x0, level), noise, atol=1e-5)


def test_nothing_drowns_at_one_and_all_at_zero() -> None:
    x0, noise = normal(2, 1, 4, 4), normal(2, 1, 4, 4, seed=1)
    x_t = q_sample(x0, noise, torch.tensor([1.0, 0.0]))
    assert torch.equal(x_t[0], x0[0])
    assert torch.equal(x_t[1], noise[1])


def test_drowning_keeps_the_variance() -> None:
    x_t = q_sample(normal(64, 1, 32, 32), normal(64, 1, 32, 32, seed=1), torch.linspace(0.01, 0.99, 64))
    assert x_t.var().item() == pytest.approx(1, abs=0.02)


def test_the_weight_follows_the_signal_until_gamma() -> None:
    level = torch.tensor([0.1, 0.5, 0.9])
    assert snr(level).tolist() == pytest.approx([1 / 9, 1, 9])
    assert torch.allclose(min_snr_weight(level, 1e9), level)  # min(SNR, inf) / (SNR + 1) is the signal's share itself
    assert min_snr_weight(level, 5.0).tolist() == pytest.approx([0.1, 0.5, 0.5])


def test_denoiser_shapes_and_what_it_heeds(tiny: Denoiser) -> None:
    x_t, timesteps, labels = normal(2, 1, 8, 8), torch.tensor([10, 900]), torch.eye(3)[:2]
    v = tiny(x_t, timesteps, labels)
    assert v.shape == x_t.shape
    assert not torch.allclose(v, tiny(x_t, timesteps.flip(0), labels), atol=1e-3)
    assert not torch.allclose(v, tiny(x_t, timesteps, torch.zeros(2, 3)), atol=1e-3)


def test_the_network_of_digits_is_as_small_as_promised() -> None:
    assert sum(p.numel() for p in Denoiser().parameters()) <= 3_000_000


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("steps", [1, 4, 7, 20])
def test_every_solver_starts_in_pure_noise_and_ends_on_the_prediction(name: str, steps: int) -> None:
    scheduler = solver(name, steps, "cosine")
    assert len(scheduler.timesteps) == steps
    assert int(scheduler.timesteps[0]) == TIMESTEPS - 1
    x = normal(1, 1, 4, 4) * scheduler.init_noise_sigma
    picture = normal(1, 1, 4, 4, seed=1)
    for timestep in scheduler.timesteps:
        scheduler.scale_model_input(x, timestep)
        x = scheduler.step(picture, timestep, x, return_dict=False)[0]
    assert torch.allclose(x, picture, atol=0.03)


@pytest.mark.parametrize(("name", "tolerance"), [("ddim", 0.05), ("euler", 0.05), ("dpm++", 0.01), ("unipc", 0.01)])
def test_deterministic_solvers_follow_the_known_path(name: str, tolerance: float) -> None:
    exact, x = ExactDenoiser(), normal(4, 1, 8, 8)
    found = last(denoise(exact, x, torch.zeros(4, 1), [], name, 50)).pred_x0
    assert (found - (exact.mean + exact.std * x)).abs().mean() < tolerance * exact.std


def test_second_order_comes_nearer_in_as_many_steps() -> None:
    exact, x = ExactDenoiser(), normal(4, 1, 8, 8)
    true = exact.mean + exact.std * x
    error = {
        name: (last(denoise(exact, x, torch.zeros(4, 1), [], name, 20)).pred_x0 - true).abs().mean()
        for name in ("ddim", "dpm++", "unipc")
    }
    assert error["dpm++"] < 0.5 * error["ddim"]
    assert error["unipc"] < 0.5 * error["ddim"]


@pytest.mark.parametrize(("name", "order"), [("ddim", 1), ("euler", 1), ("dpm++", 2), ("unipc", 3)])
@pytest.mark.parametrize("steps", [20, 25])
def test_solvers_converge_at_their_order(name: str, order: int, steps: int) -> None:
    """On the way from pure noise to t = 199; the last step, straight to the prediction, is of first order in all.

    unipc predicts at second order, and its corrector adds one (Zhao et al. 2023).
    """
    exact, x = ExactDenoiser(), normal(1, 1, 8, 8)

    def error(steps: int) -> float:
        walk = denoise(exact, x, torch.zeros(1, 1), [], name, steps)
        here = next(step for step in walk if step.timestep == 199)
        return float((exact.end(here.x_t, 199) - exact.end(x, TIMESTEPS - 1)).abs().mean())

    assert math.log2(error(steps) / error(2 * steps)) == pytest.approx(order, abs=0.3)


@pytest.mark.parametrize(("name", "eta"), [("ddpm", 0.0), ("ddim", 1.0)])
def test_solvers_with_fresh_noise_draw_the_right_spread(name: str, eta: float) -> None:
    exact, x = ExactDenoiser(), normal(16, 1, 16, 16)
    found = last(denoise(exact, x, torch.zeros(16, 1), generators(1, 16), name, 100, eta=eta)).pred_x0
    assert found.mean().item() == pytest.approx(exact.mean, abs=0.02)
    assert found.std().item() == pytest.approx(exact.std, rel=0.1)


def test_ddim_at_eta_1_is_ddpm(tiny: Denoiser) -> None:
    x, labels = normal(2, 1, 8, 8), torch.eye(3)[:2]
    walks = [denoise(tiny, x, labels, generators(3, 2), *how) for how in (("ddpm", 5), ("ddim", 5, 1.0, 1.0))]
    for here, there in zip(*walks, strict=True):
        assert torch.allclose(here.x_t, there.x_t, atol=2e-3)


def test_euler_is_ddim_in_other_coordinates(tiny: Denoiser) -> None:
    x, labels = normal(2, 1, 8, 8), torch.eye(3)[:2]
    walks = [list(denoise(tiny, x, labels, [], name, 8)) for name in ("ddim", "euler")]
    for here, there in zip(*walks, strict=True):
        assert here.timestep == there.timestep
        assert torch.allclose(here.x_t, there.x_t, atol=2e-3)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_picture_is_the_same_in_any_batch(tiny: Denoiser, name: str) -> None:
    x, labels = normal(3, 1, 8, 8), torch.eye(3)
    together = last(denoise(tiny, x, labels, generators(5, 3), name, 4)).pred_x0
    alone = last(denoise(tiny, x[2:], labels[2:], generators(7, 1), name, 4)).pred_x0
    assert torch.allclose(together[2:], alone, atol=1e-4)


def test_each_step_says_what_the_network_sees(tiny: Denoiser) -> None:
    x, labels = normal(2, 1, 8, 8), torch.eye(3)[:2]
    walk = list(denoise(tiny, x, labels, [], "unipc", 5))
    assert [step.index for step in walk] == [0, 1, 2, 3, 4]
    assert [step.timestep for step in walk] == [999, 799, 599, 399, 199]
    assert torch.equal(walk[0].x_t, x)
    for step in walk:
        level = tiny.alphas_cumprod[[step.timestep] * 2]
        assert step.pred_x0.abs().max() <= 1
        assert torch.allclose(q_sample(step.pred_x0, step.noise_pred, level), step.x_t, atol=1e-4)


@pytest.mark.parametrize("name", ["ddim", "euler"])
def test_a_walk_can_begin_in_the_middle(tiny: Denoiser, name: str) -> None:
    x, labels = normal(2, 1, 8, 8), torch.eye(3)[:2]
    whole = list(denoise(tiny, x, labels, [], name, 6))
    rest = list(denoise(tiny, whole[2].x_t, labels, [], name, 6, first=2))
    assert [step.index for step in rest] == [2, 3, 4, 5]
    assert torch.allclose(rest[-1].pred_x0, whole[-1].pred_x0, atol=1e-4)


@pytest.mark.parametrize("name", SOLVERS)
def test_a_drowned_picture_is_the_start_of_any_solver(name: str) -> None:
    exact, steps, first = ExactDenoiser(), 50, 25
    level = exact.alphas_cumprod[[int(solver(name, steps, "cosine").timesteps[first])] * 4]
    x0 = exact.mean + exact.std * normal(4, 1, 8, 8)
    x_t = q_sample(x0, normal(4, 1, 8, 8, seed=1), level)
    found = last(denoise(exact, x_t, torch.zeros(4, 1), generators(0, 4), name, steps, first=first)).pred_x0
    assert found.mean().item() == pytest.approx(exact.mean, abs=0.05)
    assert found.std().item() == pytest.approx(exact.std, rel=0.2)


def test_guidance_goes_from_the_plain_model_through_the_asked_one(tiny: Denoiser) -> None:
    x, labels = normal(2, 1, 8, 8), torch.eye(3)[:2]

    def first_noise(rows: Tensor, scale: float) -> Tensor:
        unbounded = Denoiser(picture=(1, 8, 8), labels=3, channels=(8, 16), clip=None)
        unbounded.load_state_dict(tiny.state_dict())
        return next(denoise(unbounded, x, rows, [], "ddim", 1, scale)).pred_x0

    plain, asked = first_noise(torch.zeros(2, 3), 1), first_noise(labels, 1)
    assert torch.allclose(first_noise(labels, 0), plain, atol=1e-5)
    assert torch.allclose(first_noise(labels, 3), plain + 3 * (asked - plain), atol=1e-4)
    assert (asked - plain).abs().max() > 1e-3


def test_the_grad_mode_is_as_it_was_between_steps(tiny: Denoiser) -> None:
    for step in denoise(tiny, normal(1, 1, 8, 8), torch.zeros(1, 3), [], "ddim", 2):
        assert torch.is_grad_enabled()
        assert not step.pred_x0.requires_grad
    assert math.isfinite(step.pred_x0.sum().item())
