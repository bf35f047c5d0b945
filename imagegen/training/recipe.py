"""What a family brings to the training loop, and what the loop hands to it at each step."""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from imagegen.checkpoints import Checkpoint
from imagegen.data.pictures import Pictures, Sources

__all__ = ["Export", "Recipe", "Step", "came_from", "follow", "rng_of", "start_of", "warm_cosine", "young_decay"]


@dataclass(frozen=True)
class Export:
    """One checkpoint that a finished run gives.

    Args:
        name: folder under `checkpoints/`.
        model: the network with its trained weights.
        class_name: `file.Class` under `imagegen.models`, as in `imagegen.checkpoints.CLASSES`.
        args: constructor arguments that rebuild it.
        example: inputs of one call; with the outputs they become the golden tensors.
        assets: tensors that ship beside the weights.
        texts: other assets, by their names under `assets/`.
        summary: what it is, in one or two sentences, for the card.
        data, licence: what it was trained on, and the licence of the weights.
        details: recipe facts for the card (batch size, learning rate, ...).
    """

    name: str
    model: nn.Module
    class_name: str
    args: Mapping[str, Any]
    example: Mapping[str, Tensor]
    summary: str
    data: str
    licence: str
    assets: Mapping[str, Tensor] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class Step:
    """One training step: where it stands, its randomness and how to update.

    All that is random in step n comes from (seed, n), so that a resumed run repeats it to the bit. It is
    drawn for the whole batch and each process keeps its share, so that any number of processes agree.

    Args:
        accelerator: device, precision and the other processes.
        seed: of the run.
        index: number of this step.
        total: steps in the whole run.
        batch: pictures in the whole batch.
    """

    def __init__(self, accelerator: Accelerator, seed: int, index: int, total: int, batch: int) -> None:
        self.accelerator = accelerator
        self.index = index
        self.progress = index / total
        self.batch = batch
        each = batch // accelerator.num_processes
        first = accelerator.process_index * each
        self.share = slice(first, first + each)
        self._rng = rng_of(seed, index, accelerator.device)

    def _draw(self, sample: Callable[..., Tensor], shape: tuple[int, ...]) -> Tensor:
        full = sample((self.batch, *shape), generator=self._rng, device=self.accelerator.device)
        return full[self.share]

    def normal(self, *shape: int) -> Tensor:
        """N(0, 1) of shape (share of the batch, *shape)."""
        return self._draw(torch.randn, shape)

    def uniform(self, *shape: int) -> Tensor:
        """U[0, 1) of shape (share of the batch, *shape)."""
        return self._draw(torch.rand, shape)

    def autocast(self) -> AbstractContextManager[None]:
        """bf16 where it is faster, as the run was set up."""
        return self.accelerator.autocast()  # type: ignore[no-any-return]

    def update(self, optimizer: torch.optim.Optimizer, loss: Tensor, lr: float, clip: float | None = None) -> None:
        """Backward, gradients averaged over the processes, one optimiser step at this learning rate.

        Args:
            clip: greatest norm of the whole gradient; a longer one is shortened to it.
        """
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        for group in optimizer.param_groups:
            group["lr"] = lr
            for parameter in group["params"]:
                if self.accelerator.num_processes > 1 and parameter.grad is not None:
                    parameter.grad = self.accelerator.reduce(parameter.grad, reduction="mean")
        if clip is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()


class Recipe(Protocol):
    """A family's training: built from a size, then driven by `imagegen.training.loop.train`."""

    name: str
    needs: tuple[str, ...]
    """The data sets that `--data` names, in this order."""
    steps: int
    """Of the size that was asked for."""
    batch: int
    """Pictures in a step."""
    networks: dict[str, nn.Module]
    """All that is saved: trained networks and their averages."""
    frozen: dict[str, nn.Module]
    """What helps to train but is neither trained nor saved; filled with the data."""
    compiled: tuple[str, ...]
    """Networks that torch.compile may take on a GPU; not those of a second derivative."""
    optimizers: dict[str, torch.optim.Optimizer]

    def load_data(self, sources: Sources) -> Pictures: ...

    def made_up_data(self) -> Pictures:
        """A few pictures of the right shape, for `--dry-run`."""
        ...

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        """One step on pictures (B, C, H, W) in [-1, 1]; returns scalars to plot, detached."""
        ...

    def preview(self) -> Tensor | None:
        """Pictures (B, C, H, W) in [-1, 1] that show where the run stands and may be shipped, or None."""
        ...

    def exports(self, sources: Sources) -> list[Export]:
        """The checkpoints of a finished run; `sources` are those of `load_data`."""
        ...


def rng_of(seed: int, index: int, device: torch.device | str) -> torch.Generator:
    """The randomness of step or epoch `index`, mixed into 32 bits: the CPU's generator ignores all above them."""
    return torch.Generator(device).manual_seed((seed * 0x9E3779B1 + index) % 2**32)


def warm_cosine(progress: float, warmup: float) -> float:
    """A learning rate's share of its peak: up in a line over `warmup` of the run, then down a cosine to 0."""
    if progress < warmup:
        return progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


@torch.no_grad()
def follow(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Exponential moving average of weights: average <- decay * average + (1 - decay) * model."""
    torch._foreach_lerp_(list(average.parameters()), list(model.parameters()), 1 - decay)
    for kept, now in zip(average.buffers(), model.buffers(), strict=True):
        kept.copy_(now)


def young_decay(decay: float, index: int) -> float:
    """Of an average at step `index`: less in the first steps, so that it is not held back by its start."""
    return min(decay, (1 + index) / (10 + index))


def start_of(sources: Sources) -> Checkpoint | None:
    """The checkpoint to go on from, where one was given as the third data set."""
    folder = sources.root(2)
    return None if folder is None else Checkpoint(folder)


def came_from(name: str, start: Checkpoint | None) -> str:
    """For the card: the checkpoint that a run went on from, and what that one went on from."""
    if start is None:
        return "nothing"
    training = start.card().training
    steps = training["steps"]  # words where it was stopped
    steps = steps if isinstance(steps, str) else f"{steps:,}"
    begun = f"{name} of commit {training['commit']}, after {steps} steps of {training['batch']}"
    earlier = training.get("start", "nothing")
    return begun if earlier == "nothing" else f"{begun}, which went on from {earlier}"
