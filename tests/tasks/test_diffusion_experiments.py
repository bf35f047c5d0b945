"""Drowning, coming back, racing and asking otherwise: against closed forms and against plain runs."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from exact_denoiser import ExactDenoiser
from torch import Tensor

from imagegen.data.faces import ATTRIBUTES
from imagegen.devices import picture_noise
from imagegen.errors import InputError
from imagegen.models.diffusion import SCHEDULES, SOLVERS, TIMESTEPS, betas
from imagegen.store import ModelStore
from imagegen.tasks import diffusion, diffusion_experiments
from imagegen.tasks.diffusion import AUTOENCODER, DIGITS, DiffusionRequest, DigitRequest, FaceRequest
from imagegen.tasks.diffusion_experiments import (
    BINS,
    ForwardRequest,
    RaceRequest,
    RaceStep,
    RoundTripRequest,
    RoundTripStep,
    drown,
    other_labels,
    race,
    round_trip,
)

SAME = 1 / 255
LANES = (("ddim", 2), ("unipc", 4), ("euler", 3))
NO_PICTURES = [None, "x", [[0.0]], torch.zeros(0), torch.zeros(1, 28, 28), torch.zeros(2, 1, 28, 28)]
NO_SIZES = [(1, 1, 7, 28), (1, 1, 28, 257), (1, 3, 0, 0), (1, 1, 1, 10**6)]


def picture(*shape: int) -> Tensor:
    return torch.rand(1, *shape, generator=torch.Generator().manual_seed(1)) * 2 - 1


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


def plain(store: ModelStore, request: DiffusionRequest) -> list[Tensor]:
    """What the network takes the picture to be at each step of a plain run."""
    return [step.images for step in diffusion.run(request, store)]


# Into the noise


@pytest.mark.parametrize("t", [0, 1, 500, 998, 999])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 48)])
def test_drowning_is_the_formula_in_the_same_noise_by_each_schedule(t: int, shape: tuple[int, ...]) -> None:
    x0, step = picture(*shape), drown(ForwardRequest(picture(*shape), t, seed=7))
    assert step.images.shape == (3, *shape)
    for schedule, x_t, left in zip(SCHEDULES, step.images, step.alphas_cumprod.tolist(), strict=True):
        assert left == pytest.approx(float((1 - betas(schedule))[: t + 1].prod()), rel=1e-6)
        assert apart(x_t, math.sqrt(left) * x0[0] + math.sqrt(1 - left) * picture_noise(7, 1, *shape)[0]) <= 1e-5


def test_the_variance_goes_from_the_pictures_to_the_noises() -> None:
    signs = torch.sign(picture(1, 256, 256)) / 2
    for t in (100, 500, 900):
        step = drown(ForwardRequest(signs, t))
        expected = step.alphas_cumprod / 4 + 1 - step.alphas_cumprod
        assert step.images.var(dim=(1, 2, 3)).tolist() == pytest.approx(expected.tolist(), rel=0.03)


def test_at_first_it_is_almost_the_picture_and_in_the_end_the_noise_itself() -> None:
    x0, noise = picture(1, 28, 28), picture_noise(0, 1, 1, 28, 28)
    for x_t, worst in zip(drown(ForwardRequest(x0, t=0)).images, (0.03, 0.05, 0.15), strict=True):
        assert 0 < apart(x_t, x0[0]) < worst
    cosine, linear, scaled = drown(ForwardRequest(x0, t=TIMESTEPS - 1)).images
    assert apart(cosine, noise[0]) < 1e-3
    assert 1e-3 < apart(linear, noise[0]) < 0.01
    assert apart(scaled, noise[0]) > 0.05  # a shadow stays


def test_the_histogram_turns_from_the_pictures_into_a_bell() -> None:
    grey = torch.zeros(1, 1, 256, 256)
    first, last = (drown(ForwardRequest(grey, t)).histograms for t in (0, TIMESTEPS - 1))
    assert first.shape == (3, BINS)
    for histograms in (first, last):
        assert histograms.sum(dim=1).tolist() == pytest.approx([1] * 3)
    assert first[:, BINS // 2 - 1 : BINS // 2 + 1].sum(dim=1).tolist() == pytest.approx([1] * 3, abs=1e-3)
    below = torch.special.ndtr(torch.linspace(-3, 3, BINS + 1))
    below[0], below[-1] = 0, 1  # the outermost bins hold what lies beyond
    assert apart(last, below.diff().expand(3, -1)) < 0.004


@pytest.mark.parametrize("value", NO_PICTURES)
def test_without_a_picture_there_is_nothing_to_drown(value: Any) -> None:
    for ask in (ForwardRequest, lambda x0: RoundTripRequest(x0, DigitRequest())):
        with pytest.raises(InputError, match="There is no picture yet"):
            ask(value)


@pytest.mark.parametrize("shape", NO_SIZES)
def test_pictures_to_drown_are_neither_tiny_nor_huge(shape: tuple[int, ...]) -> None:
    for ask in (ForwardRequest, lambda x0: RoundTripRequest(x0, DigitRequest())):
        with pytest.raises(InputError, match="must have 8 to 256 pixels a side"):
            ask(torch.zeros(shape))


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("t", [-1, 1000, 10.5, True, "10", None, math.nan, 1e9, [1]]),
        ("seed", [-1, 2**32, 0.5, True, "7", None, math.nan]),
    ],
)
def test_noise_levels_and_seeds_have_limits(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=f"^{field} must be"):
            ForwardRequest(picture(1, 28, 28), **{field: value})


# And back


def trip(store: ModelStore, x0: Tensor, request: DiffusionRequest) -> list[RoundTripStep]:
    return [step for step in round_trip(RoundTripRequest(x0, request), store) if step.images is not None]


@pytest.fixture
def exact_store(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """A store whose digits are Gaussian noise, and known to the last bit."""
    store, exact = ModelStore(checkpoints, torch.device("cpu")), ExactDenoiser((1, 28, 28))
    get = store.get
    monkeypatch.setattr(store, "get", lambda name: exact if name == DIGITS else get(name))
    return store


def test_the_least_drowned_comes_back_best_and_as_the_theory_says(exact_store: ModelStore) -> None:
    exact = exact_store.get(DIGITS)
    x0 = exact.mean + exact.std * picture_noise(3, 1, 1, 28, 28)
    steps = trip(exact_store, x0, DigitRequest(steps=50, solver="dpm++", seed=5))
    assert [(step.index, step.total) for step in steps] == [(i, 8) for i in range(1, 9)]
    levels, quality = [step.timestep for step in steps], [step.psnr for step in steps]
    assert levels == sorted(set(levels))
    assert levels[-1] == TIMESTEPS - 1
    assert quality == sorted(quality, reverse=True)
    assert quality[0] > 30
    assert quality[-1] == pytest.approx(10 * math.log10(4 / (2 * exact.std**2)), abs=0.3)  # another of its kind
    for step in steps:
        left = exact.alphas_cumprod[step.timestep]
        noise = picture_noise(5, 1, 1, 28, 28)
        assert apart(step.drowned, left.sqrt() * x0 + (1 - left).sqrt() * noise) <= 1e-5
        assert (step.images - exact.end(step.drowned, step.timestep)).abs().mean() <= 0.02 * exact.std
        assert step.psnr == pytest.approx(10 * math.log10(4 / float((step.images - x0).square().mean())), abs=1e-3)
        assert not step.images.requires_grad


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("count", "levels"), [(1, [999]), (3, [332, 666, 999]), (8, None), (20, None)])
def test_there_are_as_many_levels_as_steps_but_at_most_eight(
    solver: str, count: int, levels: list[int] | None, store: ModelStore
) -> None:
    steps = trip(store, picture(1, 28, 28), DigitRequest(count=5, steps=count, solver=solver, guidance_scale=1))
    assert [(step.index, step.total) for step in steps] == [(i + 1, min(count, 8)) for i in range(min(count, 8))]
    assert levels in (None, [step.timestep for step in steps])
    for step in steps:
        assert step.images.shape == step.drowned.shape == (1, 1, 28, 28)
        assert step.reading in range(10)


def test_the_way_back_can_be_left_at_each_step(store: ModelStore) -> None:
    steps = list(round_trip(RoundTripRequest(picture(1, 28, 28), DigitRequest(steps=3)), store))
    assert [step.index for step in steps] == [1, 2, 2, 3, 3, 3]
    assert [step.images is not None for step in steps] == [True, False, True, False, False, True]


def test_a_face_is_drowned_in_latents_and_comes_back_as_a_picture(store: ModelStore) -> None:
    x0 = picture(3, 64, 64)
    latents = store.get(AUTOENCODER).encode(x0)
    for step in trip(store, x0, FaceRequest(steps=3, seed=2)):
        left = store.get(diffusion.FACES).alphas_cumprod[step.timestep]
        expected = left.sqrt() * latents + (1 - left).sqrt() * picture_noise(2, 1, 16, 8, 8)
        assert apart(step.drowned, expected) <= 1e-4
        assert step.images.shape == (1, 3, 64, 64)
        assert step.images.abs().max() <= 1
        assert step.reading is None


def test_the_same_trip_ends_at_the_same_pictures(store: ModelStore) -> None:
    for solver, eta in (("ddim", 1), ("ddpm", 0)):
        request = DigitRequest(steps=4, solver=solver, eta=eta, seed=3)
        for here, there in zip(*(trip(store, picture(1, 28, 28), request) for _ in range(2)), strict=True):
            assert torch.equal(here.images, there.images)


@pytest.mark.parametrize(
    ("diffusion_request", "shapes"),
    [
        (DigitRequest(), [(1, 32, 32), (3, 28, 28), (3, 64, 64), (1, 28, 29)]),
        (FaceRequest(), [(1, 28, 28), (1, 64, 64), (3, 32, 32), (3, 65, 65), (3, 64, 128), (4, 64, 64)]),
    ],
)
def test_a_model_brings_back_only_what_it_could_have_drawn(
    diffusion_request: DiffusionRequest, shapes: list[tuple[int, ...]], store: ModelStore
) -> None:
    for shape in shapes:
        with pytest.raises(InputError, match=f"{diffusion_request.checkpoint} takes pictures of its own size only"):
            trip(store, picture(*shape), diffusion_request)


# Race


@pytest.mark.parametrize(("guidance_scale", "calls_a_step"), [(1, 1), (0, 2), (1.5, 2)])
def test_lanes_go_in_turn_and_each_to_its_end(guidance_scale: float, calls_a_step: int, store: ModelStore) -> None:
    looks: list[int] = []
    hook = store.get(DIGITS).register_forward_hook(lambda _, __, output: looks.append(len(output)))
    lanes = race(RaceRequest(DigitRequest(guidance_scale=guidance_scale), LANES), store)
    assert looks == []
    steps, seen = [], []
    for step in lanes:
        steps.append(step)
        seen.append(sum(looks))  # at a picture, whether or not two of them share a batch
        assert torch.is_grad_enabled()
    hook.remove()
    assert [step.lane for step in steps] == [0, 1, 2, 0, 1, 2, 1, 2, 1]
    assert seen == [calls_a_step * (i + 1) for i in range(9)]
    assert [step.done for step in steps] == [False] * 8 + [True]
    for lane, (_, total) in enumerate(LANES):
        own = [step for step in steps if step.lane == lane]
        assert [(step.index, step.total) for step in own] == [(i + 1, total) for i in range(total)]
        assert [step.calls for step in own] == [calls_a_step * step.index for step in own]
        seconds = [step.seconds for step in own]
        assert seconds == sorted(seconds)
        assert seconds[0] > 0


@pytest.mark.parametrize("request_", [DigitRequest(digit=4, seed=8), FaceRequest(wanted=("Male",), seed=8)])
def test_a_race_shows_what_plain_runs_would(request_: DiffusionRequest, store: ModelStore) -> None:
    shown: dict[int, list[RaceStep]] = {}
    for step in race(RaceRequest(request_, LANES), store):
        shown.setdefault(step.lane, []).append(step)
    for lane, (solver, steps) in enumerate(LANES):
        run = plain(store, type(request_)(**{**vars(request_), "solver": solver, "steps": steps}))
        for step, images in zip(shown[lane], run, strict=True):
            assert torch.equal(step.images, images)


def test_the_clock_of_a_race_waits_for_the_device(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(diffusion_experiments, "synchronize", lambda device: told.append(device.type))
    clock = SimpleNamespace(perf_counter=lambda: told.append("clock") or 0.0)
    monkeypatch.setattr(diffusion_experiments, "time", clock)
    list(race(RaceRequest(DigitRequest(), LANES), store))
    assert told == ["cpu", "clock"] * 2 * 9


def test_a_race_is_of_one_picture_and_its_lanes_are_put_in_order() -> None:
    request = RaceRequest(DigitRequest(count=9, solver="ddim", eta=0.5), [["DDPM", 7.0], ["Euler", 5]])  # type: ignore[list-item]
    assert (request.diffusion.count, request.diffusion.eta) == (1, 0)
    assert repr(request.lanes) == "(('ddpm', 7), ('euler', 5))"


@pytest.mark.parametrize(
    ("lanes", "reason"),
    [
        *((lanes, "2 to 3 lanes") for lanes in (None, "ddim", {"ddim": 3, "euler": 5}, 3, [], [("ddim", 5)])),
        *(
            (lanes, "2 to 3 lanes")
            for lanes in ([("ddim", 5)] * 4, [("ddim", 5, 5)] * 2, ["ddim", "euler"], [None] * 2)
        ),
        *(([("ddim", 5), (name, 5)], "^solver must be one of") for name in ("heun", "", 5, None, True, ["ddim"])),
        *(
            ([("ddim", 5), ("ddim", steps)], "^steps must be a whole number from 1 to 100")
            for steps in (0, -1, 101, 10.5, 1e9, True, "10", None, math.nan)
        ),
    ],
)
def test_a_race_that_cannot_be_run_is_refused(lanes: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        RaceRequest(DigitRequest(), lanes)


# Asking otherwise


@pytest.mark.parametrize("index", [1, 2, 4])
@pytest.mark.parametrize("guidance_scale", [1, 2.5])
def test_asking_for_the_same_digit_shows_what_the_run_showed(
    index: int, guidance_scale: float, store: ModelStore
) -> None:
    request = DigitRequest(digit=6, count=3, seed=2, steps=4, guidance_scale=guidance_scale)
    *walked, seen = other_labels(request, index, store)
    assert [step.index for step in walked] == list(range(1, index + 1))  # each can wait for its turn
    assert seen.names == tuple("0123456789")
    assert seen.images.shape == (10, 1, 28, 28)
    assert seen.timestep == (999, 749, 499, 249)[index - 1]
    assert apart(seen.images[6], plain(store, request)[index - 1][0]) <= SAME
    assert all(apart(seen.images[6], seen.images[i]) > SAME for i in range(10) if i != 6)
    assert not seen.images.requires_grad


def test_asking_for_an_attribute_more_leaves_the_others_as_they_are(store: ModelStore) -> None:
    request = FaceRequest(wanted=("Smiling",), unwanted=("Male",), steps=2)
    *_, seen = other_labels(request, 2, store)
    assert seen.names == ATTRIBUTES
    assert seen.images.shape == (len(ATTRIBUTES), 3, 64, 64)
    assert seen.images.abs().max() <= 1
    smiling, male, young = (ATTRIBUTES.index(name) for name in ("Smiling", "Male", "Young"))
    assert apart(seen.images[smiling], plain(store, request)[1][0]) <= SAME
    _, rows = request.others()
    assert {ATTRIBUTES[i]: value for i, value in enumerate(rows[young].tolist()) if value} == {
        "Smiling": 1,
        "Male": -1,
        "Young": 1,
    }
    assert rows[male, male] == 1


def test_a_run_that_heeds_nothing_is_still_asked_in_full(store: ModelStore) -> None:
    *_, seen = other_labels(DigitRequest(steps=1, guidance_scale=0), 1, store)
    *_, asked = other_labels(DigitRequest(steps=1, guidance_scale=1), 1, store)
    assert torch.equal(seen.images, asked.images)


@pytest.mark.parametrize("index", [0, -1, 5, 1.5, 1e9, True, "1", None, math.nan, [1]])
def test_only_steps_of_the_run_can_be_asked(index: Any, store: ModelStore) -> None:
    with pytest.raises(InputError, match="index must be a whole number from 1 to 4"):
        list(other_labels(DigitRequest(steps=4), index, store))
