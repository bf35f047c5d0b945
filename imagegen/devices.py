"""Where things are computed: choosing the device, a seed for each picture, memory, and whose turn it is."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

import torch
from torch import Tensor, nn

from imagegen.errors import DeviceError, InputError

__all__ = [
    "SEEDS",
    "DeviceLock",
    "choose_device",
    "fit_memory",
    "generators",
    "layout",
    "picture_noise",
    "synchronize",
]

SEEDS = 2**32
"""Seeds run from 0 to SEEDS - 1; picture i of a request uses (seed + i) mod SEEDS."""

T = TypeVar("T")


def choose_device(name: str = "auto") -> torch.device:
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps` -> a device that is really there.

    Raises:
        DeviceError: the device asked for is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError("There is no device called {name}; choose auto, cuda, cpu or mps.", name=name) from None
    there = {"cpu": lambda: True, "cuda": torch.cuda.is_available, "mps": torch.mps.is_available}
    missing = device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    if device.type not in there or not there[device.type]() or missing:
        raise DeviceError("The device {name} is not available here; try --device cpu.", name=name)
    return device


def synchronize(device: torch.device) -> None:
    """Wait until a GPU has computed what it was told to, so that a clock can be read."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def layout(network: nn.Module, device: torch.device) -> torch.memory_format:
    """Channels last, which convolutions like; not on a CPU with group norms, whose backward is slow on it."""
    if device.type == "cpu" and any(isinstance(module, nn.GroupNorm) for module in network.modules()):
        return torch.contiguous_format
    return torch.channels_last


def generators(seed: int, count: int) -> list[torch.Generator]:
    """One generator on the CPU for each picture of a request.

    Raises:
        InputError: the seed is not from 0 to 2^32 - 1.
    """
    if not 0 <= seed < SEEDS:
        raise InputError("The seed must be a whole number from 0 to {limit}.", limit=SEEDS - 1)
    return [torch.Generator().manual_seed((seed + i) % SEEDS) for i in range(count)]


def picture_noise(seed: int, count: int, *shape: int) -> Tensor:
    """Normal noise (count, *shape) in fp32 on the CPU; picture i is the same in any batch and on any device."""
    return torch.stack([torch.randn(shape, generator=rng) for rng in generators(seed, count)])


def fit_memory(run: Callable[[int], T], batch: int) -> T:
    """`run(batch)`; if the device runs out of memory, free what is cached and try once more at half the batch.

    Raises:
        DeviceError: the half did not fit either.
    """
    for size in (batch, max(1, batch // 2)):
        with suppress(torch.OutOfMemoryError):
            return run(size)
        torch.cuda.empty_cache()  # here, where what failed is no longer held by its traceback
    raise _no_memory()


def _no_memory() -> DeviceError:
    return DeviceError("The device has not enough memory for this; ask for fewer or smaller pictures.")


class DeviceLock:
    """One at a time on the device, sliders first.

    A job holds it for one step, never for a run, so that a slider waits for one step at most:

        step = lock.run("live", lambda: next(steps))
    """

    def __init__(self) -> None:
        # On a CPU each thread that computes gets OpenMP workers of its own; many such teams fight for the cores.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="device")
        self._turn = threading.Condition()
        self._busy = False
        self._live_waiting = 0

    def run(self, lane: str, work: Callable[[], T]) -> T:
        """`work()` in the one thread that computes, when it is this lane's turn.

        Raises:
            DeviceError: the device ran out of memory.
        """
        with self.hold(lane):
            with suppress(torch.OutOfMemoryError):
                return self._thread.submit(work).result()
            torch.cuda.empty_cache()  # so that the next request finds as much as there is
            raise _no_memory()

    @contextmanager
    def hold(self, lane: str) -> Iterator[None]:
        live = lane == "live"
        with self._turn:
            self._live_waiting += live
            self._turn.wait_for(lambda: not self._busy and (live or not self._live_waiting))
            self._live_waiting -= live
            self._busy = True
        try:
            yield
        finally:
            with self._turn:
                self._busy = False
                self._turn.notify_all()
