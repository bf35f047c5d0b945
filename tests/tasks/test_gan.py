"""GAN digits: the same picture at any batch size, every control doing what it says, requests held to their limits."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from imagegen.devices import SEEDS
from imagegen.errors import InputError
from imagegen.store import ModelStore
from imagegen.tasks import gan
from imagegen.tasks.gan import GanRequest, GanStep, ScoreRequest, WalkRequest, WalkStep

SAME = 1 / 255


def draw(store: ModelStore, **values: Any) -> GanStep:
    (step,) = gan.run(GanRequest(**values), store)
    return step


def walk(store: ModelStore, **values: Any) -> list[WalkStep]:
    return list(gan.walk(WalkRequest(**values), store))


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@contextmanager
def counted(store: ModelStore) -> Iterator[list[int]]:
    """Sizes of the batches that the generator draws meanwhile."""
    batches: list[int] = []
    model = store.get(gan.GENERATOR)
    hook = model.to_picture.register_forward_hook(lambda _, __, output: batches.append(len(output)))
    yield batches
    hook.remove()


def test_a_step_says_all_that_it_promises(store: ModelStore) -> None:
    step = draw(store, count=12)
    assert step.images.shape == (12, 1, 28, 28)
    assert step.images.abs().max() <= 1
    assert not step.images.requires_grad
    assert step.realness.shape == (12,)
    assert step.readings.shape == (12, 10)
    assert step.readings.sum(dim=1).tolist() == pytest.approx([1] * 12)
    assert (step.index, step.total) == (1, 1)


@pytest.mark.parametrize("seed", [0, SEEDS - 5])
def test_a_seed_makes_the_same_picture_in_any_batch(seed: int, store: ModelStore) -> None:
    together = draw(store, count=12, seed=seed)
    for i in range(12):
        alone = draw(store, digit=i % 10, count=1, seed=(seed + i) % SEEDS)
        assert apart(alone.images[0], together.images[i]) <= SAME
        assert alone.realness.item() == pytest.approx(together.realness[i].item(), abs=1e-3)
    assert apart(together.images[0], together.images[10]) > 10 * SAME


def test_without_a_digit_all_ten_come_in_turn(store: ModelStore) -> None:
    assert draw(store, count=12).labels.tolist() == [*range(10), 0, 1]
    assert draw(store, count=3, digit=4).labels.tolist() == [4, 4, 4]


def test_a_mix_goes_from_one_digit_to_the_other(store: ModelStore) -> None:
    three, eight = draw(store, digit=3, count=4), draw(store, digit=8, count=4)
    none, half, all_of_it = (draw(store, digit=3, second_digit=8, mix=mix, count=4) for mix in (0, 0.5, 1))
    assert torch.equal(none.images, three.images)
    assert apart(all_of_it.images, eight.images) <= SAME
    assert apart(half.images, three.images) > SAME
    assert apart(half.images, eight.images) > SAME
    assert [step.labels[0].item() for step in (none, half, all_of_it)] == [3, 3, 8]


def test_a_mix_also_holds_for_truncated_digits(store: ModelStore) -> None:
    eight = draw(store, digit=8, count=2, truncation=0.5)
    assert apart(draw(store, digit=3, second_digit=8, mix=1, count=2, truncation=0.5).images, eight.images) <= SAME


def test_truncation_0_leaves_one_picture_a_digit(store: ModelStore) -> None:
    images = draw(store, digit=6, count=5, truncation=0).images
    assert apart(images, images[:1].expand(5, -1, -1, -1)) <= SAME
    assert apart(images[0], draw(store, digit=7, count=1, truncation=0).images[0]) > SAME


def test_directions_move_all_or_only_the_chosen_one(store: ModelStore) -> None:
    still = draw(store, count=6).images
    moved_all = draw(store, count=6, directions=(0, 2.5)).images
    moved_one = draw(store, count=6, directions=(0, 2.5), chosen=4).images
    for i in range(6):
        assert apart(moved_all[i], still[i]) > SAME
        assert apart(moved_one[i], moved_all[i] if i == 4 else still[i]) <= SAME


def test_every_direction_does_something_of_its_own(store: ModelStore) -> None:
    moved = [draw(store, digit=2, count=1, directions=(0,) * i + (3,)).images for i in range(gan.DIRECTIONS)]
    for i, images in enumerate(moved):
        assert all(apart(images, other) > SAME for other in moved[:i])


def test_two_who_ask_the_same_get_the_same_and_leave_nothing_behind(store: ModelStore) -> None:
    before = {key: tensor.clone() for key, tensor in store.get(gan.GENERATOR).state_dict().items()}
    first = draw(store, count=5, seed=9, directions=(1, -2))
    draw(store, count=5, seed=10, truncation=0.2)
    assert torch.equal(draw(store, count=5, seed=9, directions=(1, -2)).images, first.images)
    for key, tensor in store.get(gan.GENERATOR).state_dict().items():
        assert torch.equal(tensor, before[key])


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("digit", [-1, 10, 1.5, True, "7", math.nan]),
        ("second_digit", [-1, 10, "8"]),
        ("mix", [-0.1, 1.1, math.nan, math.inf, "0.5", True, 10**400]),
        ("count", [0, 65, 10.5, True, "7", 10**9, math.inf, None]),
        ("seed", [-1, 2**32, 10**400, 0.5, None, math.nan]),
        ("chosen", [-1, 25, 0.5, True]),
        ("truncation", [-0.1, 1.6, math.nan, None]),
        ("directions", [(0,) * 9, (5,), (-4.1,), (math.nan,), ("1",), (True,), 3, None, "12", {"a": 1}, ([1],)]),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match="each direction|directions" if field == "directions" else field):
            GanRequest(**{field: value})


def test_whole_floats_from_the_page_become_integers() -> None:
    request = GanRequest(digit=7.0, count=3.0, seed=5.0, directions=[1, 2])  # type: ignore[arg-type]
    assert repr((request.digit, request.count, request.seed, request.directions)) == "(7, 3, 5, (1.0, 2.0))"


def test_a_walk_ends_at_the_two_samples(store: ModelStore) -> None:
    steps = walk(store, digit=3, second_digit=8, seed=20, second_seed=40, frames=5)
    assert [(step.index, step.total, len(step.images)) for step in steps] == [(i, 5, i) for i in range(1, 6)]
    frames = steps[-1].images
    start, end = draw(store, digit=3, seed=20, count=1), draw(store, digit=8, seed=40, count=1)
    assert apart(frames[0], start.images[0]) <= SAME
    assert apart(frames[-1], end.images[0]) <= SAME
    assert steps[0].realness == pytest.approx(start.realness.item(), abs=1e-3)
    assert steps[-1].realness == pytest.approx(end.realness.item(), abs=1e-3)
    assert all(apart(a, b) > 0 for a, b in pairwise(frames))


def test_a_walk_goes_to_the_next_seed_unless_told_otherwise() -> None:
    assert WalkRequest(seed=7).second_seed == 8
    assert WalkRequest(seed=SEEDS - 1).second_seed == 0


def test_a_walk_to_its_own_start_stands_still(store: ModelStore) -> None:
    frames = walk(store, digit=4, second_digit=4, seed=1, second_seed=1, frames=3)[-1].images
    assert apart(frames, frames[:1].expand(3, -1, -1, -1)) <= SAME


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("digit", [None, 10, "3"]),
        ("second_digit", [None, -1]),
        ("seed", [-1, 10**400, None]),
        ("second_seed", [-1, 0.5]),
        ("frames", [1, 61, 10**9, 10.5, True, "10"]),
    ],
)
def test_a_walk_that_cannot_be_gone_is_refused_by_name(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=field):
            WalkRequest(**{field: value})


def test_nothing_is_computed_before_it_is_asked_for_or_after_the_stop(store: ModelStore) -> None:
    with counted(store) as batches:
        steps = gan.walk(WalkRequest(frames=60), store)
        assert batches == []
        for _ in range(3):
            next(steps)
        steps.close()
        assert batches == [1, 1, 1]
        assert next(steps, None) is None
        assert batches == [1, 1, 1]


def test_grad_mode_does_not_leak_out_of_a_run(store: ModelStore) -> None:
    steps = gan.walk(WalkRequest(frames=2), store)
    next(steps)
    assert torch.is_grad_enabled()


def test_realness_is_the_logit_above_its_mean_on_real_digits(store: ModelStore) -> None:
    step = draw(store, digit=5, count=3)
    logits = store.get(gan.DISCRIMINATOR)(step.images, step.labels)
    expected = logits - store.asset(gan.DISCRIMINATOR, "real_means")[5]
    assert step.realness.tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_both_judges_say_of_a_digit_what_they_say_on_the_sheet(store: ModelStore) -> None:
    step = draw(store, digit=5, count=2)
    verdict = gan.score(ScoreRequest(step.images[1:], 5), store)
    assert verdict.digit == 5
    assert verdict.realness == pytest.approx(step.realness[1].item(), abs=1e-4)
    assert verdict.reading.tolist() == pytest.approx(step.readings[1].tolist(), abs=1e-5)


def test_without_a_digit_it_is_judged_as_what_it_reads_as(store: ModelStore) -> None:
    picture = draw(store, count=1).images
    verdict = gan.score(ScoreRequest(picture), store)
    assert verdict.digit == verdict.reading.argmax()
    assert verdict == gan.ScoreStep(verdict.digit, verdict.realness, verdict.reading)
    assert verdict.realness == gan.score(ScoreRequest(picture, verdict.digit), store).realness


@pytest.mark.parametrize(
    "picture",
    [
        torch.zeros(0),
        torch.zeros(2, 1, 28, 28),
        torch.zeros(1, 3, 28, 28),
        torch.zeros(1, 1, 27, 28),
        torch.full((1, 1, 28, 28), math.nan),
        torch.full((1, 1, 28, 28), math.inf),
    ],
)
def test_only_one_finite_digit_can_be_judged(picture: Tensor) -> None:
    with pytest.raises(InputError, match="one 28×28 picture"):
        ScoreRequest(picture)


@pytest.mark.parametrize("digit", [-1, 10, 0.5, True, "7"])
def test_a_digit_is_judged_as_0_to_9(digit: Any) -> None:
    with pytest.raises(InputError, match="digit must be a whole number from 0 to 9"):
        ScoreRequest(torch.zeros(1, 1, 28, 28), digit)


@pytest.mark.parametrize("digit", [None, 4])
def test_the_chosen_picture_comes_out_the_same_alone(store: ModelStore, digit: int | None) -> None:
    request = GanRequest(digit=digit, count=12, seed=2**32 - 3, directions=(1.0, -2.0), chosen=7)
    *_, together = gan.run(request, store)
    *_, alone = gan.run(gan.alone(request), store)
    assert (together.images[7] - alone.images[0]).abs().max() < 1 / 127.5
    assert together.labels[7] == alone.labels[0]
    assert together.realness[7] == pytest.approx(float(alone.realness[0]), abs=1e-3)
