"""Diffusion step by step: the same picture in any batch, lazy steps, requests held to their limits."""

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor

from imagegen.data.faces import ATTRIBUTES
from imagegen.devices import SEEDS, picture_noise
from imagegen.errors import InputError
from imagegen.models.diffusion import SOLVERS, q_sample
from imagegen.store import ModelStore
from imagegen.tasks import diffusion
from imagegen.tasks.diffusion import DIGITS, FACES, DiffusionRequest, DiffusionStep, DigitRequest, FaceRequest

SAME = 1 / 255
REQUESTS = [DigitRequest, FaceRequest]
NO_WHOLE = [10.5, True, "10", 1e9, math.nan, math.inf, 10**400, {"a": 1}, [1]]


def draw(store: ModelStore, request: DiffusionRequest) -> DiffusionStep:
    *_, last = diffusion.run(request, store)
    return last


def digits(store: ModelStore, **values: Any) -> Tensor:
    return draw(store, DigitRequest(**({"steps": 3} | values))).images


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@contextmanager
def counted(store: ModelStore, name: str = DIGITS) -> Iterator[list[int]]:
    """Sizes of the batches that a network looks at meanwhile."""
    batches: list[int] = []
    hook = store.get(name).register_forward_hook(lambda _, __, output: batches.append(len(output)))
    yield batches
    hook.remove()


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize(("solver", "eta"), [("unipc", 0), ("ddpm", 0), ("ddim", 0.7)])
@pytest.mark.parametrize("seed", [0, SEEDS - 2])
def test_a_seed_makes_the_same_picture_in_any_batch(
    kind: type[DiffusionRequest], solver: str, eta: float, seed: int, store: ModelStore
) -> None:
    how = {"solver": solver, "eta": eta, "steps": 3, **({"digit": 3} if kind is DigitRequest else {})}
    together = draw(store, kind(count=4, seed=seed, **how)).images
    for i in range(4):
        alone = draw(store, kind(count=1, seed=(seed + i) % SEEDS, **how)).images
        assert apart(alone[0], together[i]) <= SAME
    assert apart(together[0], together[1]) > 10 * SAME


@pytest.mark.parametrize("kind", REQUESTS)
def test_the_last_step_is_the_result(kind: type[DiffusionRequest], store: ModelStore) -> None:
    steps = list(diffusion.run(kind(count=2, steps=5), store))
    assert [(step.index, step.total) for step in steps] == [(i, 5) for i in range(1, 6)]
    assert [step.timestep for step in steps] == [999, 799, 599, 399, 199]
    assert torch.equal(steps[-1].images, draw(store, kind(count=2, steps=5)).images)
    assert torch.equal(steps[-1].images, steps[-1].decode(steps[-1].pred_x0))


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_step_shows_where_it_is_and_what_the_network_sees(solver: str, store: ModelStore) -> None:
    steps = list(diffusion.run(DigitRequest(count=2, seed=4, solver=solver, steps=3), store))
    assert apart(steps[0].x_t, picture_noise(4, 2, 1, 28, 28)) <= 1e-4
    for step in steps:
        level = store.get(DIGITS).alphas_cumprod[[step.timestep] * 2]
        assert apart(q_sample(step.pred_x0, step.noise_pred, level), step.x_t) <= 1e-3
        assert step.images is step.pred_x0
        assert step.images.shape == (2, 1, 28, 28)
        assert step.images.abs().max() <= 1


def test_faces_are_painted_in_latents_and_shown_as_pictures(store: ModelStore) -> None:
    for step in diffusion.run(FaceRequest(count=2, steps=3), store):
        for latents in (step.x_t, step.noise_pred, step.pred_x0):
            assert latents.shape == (2, 16, 8, 8)
        images = step.images
        assert images.shape == (2, 3, 64, 64)
        assert images.abs().max() <= 1
        assert not images.requires_grad


def test_without_a_digit_all_ten_come_in_turn(store: ModelStore) -> None:
    request = DigitRequest(count=12, seed=20)
    assert request.labels().argmax(dim=1).tolist() == [*range(10), 0, 1]
    together = digits(store, count=12, seed=20)
    for i in (0, 7, 11):
        assert apart(digits(store, digit=i % 10, seed=20 + i)[0], together[i]) <= SAME


def test_guidance_0_ignores_the_digit_and_more_heeds_it_more(store: ModelStore) -> None:
    assert apart(digits(store, digit=3, guidance_scale=0), digits(store, digit=8, guidance_scale=0)) <= SAME
    images = [digits(store, digit=8, guidance_scale=scale, steps=1) for scale in (0, 1, 2)]
    assert apart(images[0], images[1]) > 10 * SAME
    assert apart(images[1], images[2]) > 10 * SAME


def test_every_attribute_of_a_face_counts(store: ModelStore) -> None:
    plain = draw(store, FaceRequest(steps=1)).pred_x0
    for name in ATTRIBUTES:
        wanted, unwanted = (draw(store, FaceRequest(steps=1, **{how: [name]})) for how in ("wanted", "unwanted"))
        assert apart(wanted.pred_x0, plain) > SAME
        assert apart(wanted.pred_x0, unwanted.pred_x0) > SAME


def test_attributes_are_said_as_yes_no_or_not_at_all() -> None:
    request = FaceRequest(count=2, wanted="smiling, Male,", unwanted=["Bald", "BALD"])  # type: ignore[arg-type]
    assert (request.wanted, request.unwanted) == (("Smiling", "Male"), ("Bald",))
    said = dict(zip(ATTRIBUTES, request.labels()[1].tolist(), strict=True))
    assert {name: value for name, value in said.items() if value} == {"Smiling": 1, "Male": 1, "Bald": -1}
    assert torch.equal(request.labels()[0], request.labels()[1])


@pytest.mark.parametrize(("guidance_scale", "looks"), [(1, 1), (1.5, 2)])
def test_nothing_is_computed_before_it_is_asked_for_or_after_the_stop(
    guidance_scale: float, looks: int, store: ModelStore
) -> None:
    with counted(store) as batches:
        steps = diffusion.run(DigitRequest(count=2, steps=50, guidance_scale=guidance_scale), store)
        assert batches == []
        assert [step.index for step in islice(steps, 3)] == [1, 2, 3]
        del steps
        gc.collect()
        assert batches == [2 * looks] * 3


def test_looking_at_the_steps_of_a_face_is_left_to_the_viewer(store: ModelStore) -> None:
    with counted(store, FACES) as batches:
        decoded = []
        hook = store.get(diffusion.AUTOENCODER).vae.decoder.register_forward_hook(lambda *_: decoded.append(1))
        *_, last = diffusion.run(FaceRequest(steps=4, guidance_scale=1), store)
        assert (len(batches), len(decoded)) == (4, 0)
        assert last.images.shape == (1, 3, 64, 64)
        hook.remove()
    assert len(decoded) == 1


@pytest.mark.parametrize(
    ("solver", "eta", "draws"), [("ddim", 0, False), ("ddim", 1, True), ("ddpm", 0, True), ("unipc", 0, False)]
)
def test_fresh_noise_comes_from_the_generators_of_the_pictures(
    solver: str, eta: float, draws: bool, store: ModelStore
) -> None:
    request = DigitRequest(count=3, solver=solver, eta=eta, steps=3)
    x, rngs = diffusion.noise(request, store)
    before, everyone = [rng.get_state() for rng in rngs], torch.default_generator.get_state()
    list(diffusion.walk(request, store, x, rngs))
    for rng, state in zip(rngs, before, strict=True):
        assert torch.equal(rng.get_state(), state) is not draws
    assert torch.equal(torch.default_generator.get_state(), everyone)


def test_eta_makes_another_picture_of_the_same_noise(store: ModelStore) -> None:
    still, fresh = (digits(store, solver="ddim", eta=eta) for eta in (0, 1))
    assert apart(still, fresh) > 10 * SAME


def test_two_who_ask_the_same_get_the_same_and_leave_nothing_behind(store: ModelStore) -> None:
    before = {key: tensor.clone() for key, tensor in store.get(DIGITS).state_dict().items()}
    first = digits(store, count=3, seed=9)
    one, other = (diffusion.run(DigitRequest(count=3, seed=seed, steps=3), store) for seed in (9, 10))
    *_, (last, _) = zip(one, other, strict=True)
    assert torch.equal(last.images, first)
    for key, tensor in store.get(DIGITS).state_dict().items():
        assert torch.equal(tensor, before[key])


@pytest.mark.parametrize("kind", REQUESTS)
def test_the_grad_mode_is_as_it_was_between_steps(kind: type[DiffusionRequest], store: ModelStore) -> None:
    for step in diffusion.run(kind(steps=2), store):
        assert torch.is_grad_enabled()
        assert not step.images.requires_grad
        assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("count", [*NO_WHOLE, -1, 0, 65, None]),
        ("seed", [*NO_WHOLE[:3], math.nan, 10**400, -1, 2**32, None]),
        ("solver", ["heun", "", "ddim ", 7, True, None, ["ddim"], {"ddim": 1}, "d" * 10**5]),
        ("steps", [*NO_WHOLE, -1, 0, 101, None]),
        ("guidance_scale", [-0.1, 8.1, 1e9, math.nan, math.inf, "1.5", True, None, 10**400, [1]]),
        ("eta", [-0.1, 1.1, 1e9, math.nan, "1", True, None, {"a": 1}]),
    ],
)
@pytest.mark.parametrize("kind", REQUESTS)
def test_what_cannot_be_drawn_is_refused_by_name(kind: type[DiffusionRequest], field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=f"^{field} must be"):
            kind(**{"solver": "ddim", field: value})


@pytest.mark.parametrize("digit", [*NO_WHOLE, -1, 10])
def test_only_ten_digits_are_known(digit: Any) -> None:
    with pytest.raises(InputError, match="digit must be a whole number from 0 to 9"):
        DigitRequest(digit=digit)


@pytest.mark.parametrize("field", ["wanted", "unwanted"])
def test_only_some_attributes_are_known(field: str) -> None:
    words = [
        "Attractive",
        "Smiling,Attractive",
        ["Smiling", 3],
        [["Smiling"]],
        [None],
        ",".join(["Bald"] * 18),
        "x" * 10**5,
    ]
    for value in (*words, ["Smiling"] * 18, {"Smiling": 1}, {"Smiling"}, None, 7, True, math.nan):
        with pytest.raises(InputError, match=f"^(each of )?{field} must be"):
            FaceRequest(**{field: value})


def test_a_face_cannot_be_told_both() -> None:
    with pytest.raises(InputError, match="Bald cannot be both wanted and unwanted"):
        FaceRequest(wanted=("Young", "Bald"), unwanted=("bald",))


@pytest.mark.parametrize("solver", sorted({*SOLVERS} - {"ddim"}))
def test_eta_belongs_to_ddim(solver: str) -> None:
    with pytest.raises(InputError, match=f"eta belongs to ddim; with {solver.replace('+', '.')} it must be 0"):
        DigitRequest(solver=solver, eta=0.5)
    assert DigitRequest(solver=solver, eta=0).eta == 0


def test_values_from_the_page_become_what_they_stand_for() -> None:
    request = DigitRequest(digit=7.0, count=3.0, seed=5.0, steps=9.0, solver="DPM++", guidance_scale=2, eta=0)  # type: ignore[arg-type]
    assert repr((request.digit, request.count, request.seed, request.steps)) == "(7, 3, 5, 9)"
    assert repr((request.solver, request.guidance_scale, request.eta)) == "('dpm++', 2.0, 0.0)"
