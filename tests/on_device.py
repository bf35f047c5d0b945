"""What is asked of every device: the checkpoints compute what they did, steps stream, memory is given back.

The tests of CUDA ask it of a GPU; so that they are tried where there is none, the same is asked of the CPU.
"""

import math
from pathlib import Path

import torch
from torch import Tensor

from imagegen.checkpoints import golden_output
from imagegen.store import ModelStore
from imagegen.tasks import diffusion
from imagegen.ui.wiring import steps_in_turn

__all__ = ["agreement", "evicted", "streamed"]


def agreement(store: ModelStore, name: str, dtype: torch.dtype) -> float:
    """PSNR in dB of a checkpoint's output on the store's device, in `dtype`, against its golden one from a CPU.

    The peak is the range of the golden output, which need not be a picture.
    """
    golden = store.checkpoint(name).tensors("golden/tensors.safetensors")
    wanted = golden.pop("output").float()
    example = {key: tensor.to(store.device) for key, tensor in golden.items()}
    with torch.no_grad(), torch.autocast(store.device.type, dtype, enabled=dtype != torch.float32):
        output = golden_output(store.get(name), example).float().cpu()
    error = (output - wanted).square().mean().item()
    return 10 * math.log10(max((wanted.max() - wanted.min()).item() ** 2, 1e-12) / max(error, 1e-12))


def streamed(store: ModelStore, steps: int = 5) -> list[Tensor]:
    """The pictures of every step of a short run, (2, 1, 28, 28) each, on the CPU."""
    request = diffusion.DigitRequest(digit=7, count=2, seed=3, steps=steps, solver="ddim")
    return [step.images.float().cpu() for step in steps_in_turn(diffusion.run(request, store), store, "job")]


def evicted(folder: Path, device: torch.device, first: str, second: str) -> list[int]:
    """Bytes on a GPU (0 on a CPU) with nothing loaded, with `first`, and with `second` that leaves no room for it."""
    store = ModelStore(folder, device, budget=1)

    def used() -> int:
        return torch.cuda.memory_allocated(device) if device.type == "cuda" else 0

    before = used()
    store.get(first)
    with_first = used()
    store.get(second)
    assert list(store._models) == [second]
    return [before, with_first, used()]
