"""Devices, seeds, memory and whose turn it is."""

import threading
import time
import weakref
from collections.abc import Callable

import pytest
import torch

from imagegen.devices import SEEDS, DeviceLock, choose_device, fit_memory, generators, picture_noise, synchronize
from imagegen.errors import DeviceError, InputError


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cpu cpu"])
def test_a_device_that_does_not_exist_is_refused_with_those_that_do(name: str) -> None:
    with pytest.raises(DeviceError, match="choose auto, cuda, cpu or mps"):
        choose_device(name)


@pytest.mark.parametrize(
    "name",
    [
        "meta",
        pytest.param("cuda", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA here")),
        pytest.param("mps", marks=pytest.mark.skipif(torch.mps.is_available(), reason="there is MPS here")),
    ],
)
def test_a_device_that_is_not_here_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(DeviceError, match=f"{name} is not available here; try --device cpu"):
        choose_device(name)


def test_a_gpu_is_waited_for_and_a_cpu_need_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    for name in ("cpu", "cuda:1"):
        synchronize(torch.device(name))
    assert waited == [torch.device("cuda:1")]


def test_a_picture_has_the_same_noise_in_any_batch() -> None:
    together = picture_noise(7, 5, 3, 2)
    assert (together.shape, together.dtype, together.device.type) == ((5, 3, 2), torch.float32, "cpu")
    for i in range(5):
        assert torch.equal(picture_noise(7 + i, 1, 3, 2)[0], together[i])
    assert not torch.equal(together[0], together[1])


def test_noise_leaves_the_global_randomness_alone() -> None:
    before = torch.random.get_rng_state()
    picture_noise(0, 2, 4)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_seeds_wrap_around() -> None:
    assert torch.equal(picture_noise(SEEDS - 1, 3, 4)[1:], picture_noise(0, 2, 4))


@pytest.mark.parametrize("seed", [-1, SEEDS, 10**400])
def test_a_seed_out_of_range_is_refused_with_the_range(seed: int) -> None:
    with pytest.raises(InputError, match="0 to 4294967295"):
        generators(seed, 1)


def needs(largest: int, tried: list[int]) -> Callable[[int], int]:
    """A run that fits for batches up to `largest`, and notes what it was asked for."""

    def run(batch: int) -> int:
        tried.append(batch)
        if batch > largest:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return batch

    return run


@pytest.mark.parametrize(("largest", "expected"), [(8, [8]), (7, [8, 4]), (4, [8, 4])])
def test_what_does_not_fit_is_tried_once_at_half(largest: int, expected: list[int]) -> None:
    tried: list[int] = []
    assert fit_memory(needs(largest, tried), 8) == expected[-1]
    assert tried == expected


@pytest.mark.parametrize(("batch", "expected"), [(8, [8, 4]), (1, [1, 1])])
def test_what_does_not_fit_twice_is_refused(batch: int, expected: list[int]) -> None:
    tried: list[int] = []
    with pytest.raises(DeviceError, match="fewer or smaller pictures"):
        fit_memory(needs(0, tried), batch)
    assert tried == expected


@pytest.fixture
def held_when_freed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether what `fails` computed with was there still, each time that the cache was emptied."""
    found: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: found.append(fails.tensor() is not None))
    return found


def fails(_: int = 0) -> None:
    tensor = torch.ones(1)
    fails.tensor = weakref.ref(tensor)  # type: ignore[attr-defined]
    raise torch.OutOfMemoryError("CUDA out of memory.")


def test_what_a_failed_run_held_is_free_before_the_cache_is_emptied(held_when_freed: list[bool]) -> None:
    with pytest.raises(DeviceError, match="fewer or smaller pictures"):
        fit_memory(fails, 8)
    assert held_when_freed == [False, False]
    with pytest.raises(DeviceError, match="fewer or smaller pictures"):
        DeviceLock().run("job", fails)
    assert held_when_freed == [False] * 3


@pytest.mark.parametrize("lane", ["live", "job"])
def test_a_step_that_does_not_fit_is_refused_and_the_next_is_taken(lane: str) -> None:
    lock = DeviceLock()
    with pytest.raises(DeviceError, match="fewer or smaller pictures"):
        lock.run(lane, lambda: needs(0, [])(1))
    assert lock.run(lane, lambda: 7) == 7


def test_other_errors_are_not_taken_for_lack_of_memory() -> None:
    with pytest.raises(ZeroDivisionError):
        fit_memory(lambda batch: batch // 0, 8)


def test_a_slider_goes_before_jobs_whoever_came_first() -> None:
    lock, order = DeviceLock(), []

    def take(lane: str) -> None:
        with lock.hold(lane):
            order.append(lane)

    threads = [threading.Thread(target=take, args=(lane,)) for lane in ("job", "job", "live", "job")]
    with lock.hold("job"):
        for number, thread in enumerate(threads, start=1):
            thread.start()
            while len(lock._turn._waiters) < number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(timeout=10)
    assert order == ["live", "job", "job", "job"]


def test_the_device_is_held_by_one_at_a_time_and_given_back_after_an_error() -> None:
    lock, holders, seen = DeviceLock(), [], []

    def fail(lane: str) -> None:
        with lock.hold(lane):
            holders.append(lane)
            time.sleep(0.0001)
            seen.append(len(holders))
            holders.pop()
            raise KeyError

    def take(lane: str) -> None:
        for _ in range(20):
            with pytest.raises(KeyError):
                fail(lane)

    threads = [threading.Thread(target=take, args=(lane,)) for lane in ("job", "live", "job", "live")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert seen == [1] * 80
