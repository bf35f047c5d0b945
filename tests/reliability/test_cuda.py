"""Row 24 of the bad inputs with a real GPU out of memory, and what else only a GPU can show: `pytest -m cuda`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from on_device import agreement, evicted, streamed

from imagegen.devices import fit_memory
from imagegen.errors import DeviceError
from imagegen.store import ModelStore
from imagegen.tasks import diffusion, gan
from imagegen.ui.wiring import last_step

SHIPPED = Path(__file__).parents[2] / "checkpoints"
NAMES = ModelStore(SHIPPED, torch.device("cpu")).names()
NEEDS_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA here")
MB = 2**20
ENOUGH = 35  # dB


@pytest.fixture(scope="module")
def cuda() -> ModelStore:
    return ModelStore(SHIPPED, torch.device("cuda"))


@contextmanager
def at_most(more: int) -> Iterator[None]:
    """No more than so many bytes beside what is in use now."""
    torch.cuda.empty_cache()
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, (torch.cuda.memory_reserved() + more) / whole))
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.cuda
@NEEDS_CUDA
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_on_the_gpu_agrees_with_the_cpu(name: str, cuda: ModelStore) -> None:
    found = {str(dtype): agreement(cuda, name, dtype) for dtype in (torch.float16, torch.bfloat16)}
    assert max(found.values()) >= ENOUGH, found


@pytest.mark.cuda
@NEEDS_CUDA
def test_a_run_streams_from_the_gpu_what_it_streams_from_the_cpu(cuda: ModelStore) -> None:
    here, there = streamed(ModelStore(SHIPPED, torch.device("cpu"))), streamed(cuda)
    assert len(here) == len(there) == 5
    for mine, theirs in zip(here, there, strict=True):
        assert ((mine - theirs).abs() <= 2 * 4 / 255).float().mean() >= 0.999


@pytest.mark.cuda
@NEEDS_CUDA
def test_what_is_evicted_leaves_the_gpu() -> None:
    before, with_first, with_second = evicted(SHIPPED, torch.device("cuda"), "face-autoencoder", "gan-mnist")
    assert with_first > before
    assert with_second < with_first


@pytest.mark.cuda
@NEEDS_CUDA
def test_row_24_what_does_not_fit_is_tried_once_smaller_and_then_refused() -> None:
    def run(batch: int) -> int:
        return torch.empty(batch, 64 * MB, dtype=torch.uint8, device="cuda").shape[0]

    with at_most(300 * MB):
        assert fit_memory(run, 8) == 4  # 512 MB do not fit, 256 do
        with pytest.raises(DeviceError, match="fewer or smaller pictures"):
            fit_memory(run, 64)
    assert fit_memory(run, 8) == 8


@pytest.mark.cuda
@NEEDS_CUDA
@pytest.mark.parametrize(
    ("task", "request_"),
    [(gan, gan.GanRequest(count=64)), (diffusion, diffusion.DigitRequest(count=64, steps=1))],
    ids=["gan", "diffusion"],
)
def test_row_24_a_request_without_room_is_refused_and_the_next_succeeds(
    task: type, request_: object, cuda: ModelStore
) -> None:
    def asked() -> int:
        return len(last_step(task.run(request_, cuda), cuda).images)  # type: ignore[attr-defined]

    assert asked() == 64
    with at_most(0), pytest.raises(DeviceError, match="fewer or smaller pictures"):
        asked()
    assert asked() == 64


# The same where there is no GPU


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_on_the_cpu_checkpoints_agree_with_themselves(dtype: torch.dtype) -> None:
    store = ModelStore(SHIPPED, torch.device("cpu"))
    for name in NAMES:
        assert agreement(store, name, dtype) >= ENOUGH, name


def test_another_checkpoint_does_not_agree(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    other = store.get("srgan-x4")
    monkeypatch.setattr(store, "get", lambda name: other)
    assert agreement(store, "sr-x4", torch.float32) < ENOUGH


def test_on_the_cpu_a_run_streams_and_the_least_recent_is_evicted(store: ModelStore) -> None:
    first, second = streamed(store), streamed(store)
    assert [pictures.shape for pictures in first] == [(2, 1, 28, 28)] * 5
    assert all(torch.equal(*each) for each in zip(first, second, strict=True))
    assert evicted(store.folder, torch.device("cpu"), "face-autoencoder", "gan-mnist") == [0, 0, 0]
