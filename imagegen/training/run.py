"""A run's folder: its state in one safetensors file that is replaced whole, its history and its pictures."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from imagegen.errors import TrainingError

__all__ = ["Run"]


class Run:
    """`runs/NAME/`: `state.safetensors`, `history.jsonl`, `moments/STEP.png or .webp`, `tensorboard/`.

    `facts` (step, planned steps, seconds, seed, command, ...) live in the header of the state file, so that
    weights and facts can never disagree.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state.safetensors"
        self.history = folder / "history.jsonl"
        self.moments = folder / "moments"

    def start(self) -> None:
        """Make an empty run.

        Raises:
            TrainingError: there is one here already.
        """
        if self.state.exists():
            raise TrainingError(
                "{folder} holds a run already; add --resume or choose another --output.", folder=self.folder
            )
        self.moments.mkdir(parents=True, exist_ok=True)
        self.history.write_text("")

    def save(
        self,
        networks: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        facts: Mapping[str, Any],
    ) -> None:
        """Replace the state; a full disk or a kill in between leaves the one before.

        Raises:
            TrainingError: it could not be written.
        """
        tensors = {f"{name}/{key}": value for name, net in networks.items() for key, value in net.state_dict().items()}
        for name, optimizer in optimizers.items():
            for index, slots in optimizer.state_dict()["state"].items():
                tensors |= {f"{name}/{index}/{slot}": value for slot, value in slots.items()}
        broken = [key for key, value in tensors.items() if not value.isfinite().all()]
        if broken:
            raise TrainingError("{tensor} is no longer finite; the last good state is kept.", tensor=broken[0])
        partial = self.state.with_suffix(".partial")
        try:
            contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
            save_file(contiguous, partial, metadata={"facts": json.dumps(dict(facts))})
            os.replace(partial, self.state)
        except (OSError, SafetensorError) as problem:
            partial.unlink(missing_ok=True)
            raise TrainingError(
                "The state could not be written ({problem}); the last one is kept. Free some disk and use --resume.",
                problem=problem,
            ) from problem

    def facts(self) -> dict[str, Any]:
        """What is known of the run.

        Raises:
            TrainingError: there is no readable state.
        """
        try:
            with safe_open(self.state, framework="pt") as file:
                return json.loads(file.metadata()["facts"])  # type: ignore[no-any-return]
        except (OSError, SafetensorError, TypeError, KeyError, ValueError) as problem:
            raise TrainingError(
                "{file} is not there or cannot be read: {problem}", file=self.state, problem=problem
            ) from problem

    def restore(
        self, networks: Mapping[str, nn.Module], optimizers: Mapping[str, torch.optim.Optimizer]
    ) -> dict[str, Any]:
        """Load the state into networks and optimisers of the same shapes, and return the facts.

        Raises:
            TrainingError: there is no readable state, or it is of other shapes.
        """
        facts = self.facts()
        with safe_open(self.state, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        try:
            for name, network in networks.items():
                network.load_state_dict({key: tensors[f"{name}/{key}"] for key in network.state_dict()})
            for name, optimizer in optimizers.items():
                _restore_optimizer(optimizer, name, tensors)
        except (KeyError, IndexError, RuntimeError) as problem:
            raise TrainingError(
                "{file} does not fit: {problem}", file=self.state, problem=" ".join(str(problem).split())
            ) from problem
        return facts

    def log(self, line: Mapping[str, Any]) -> None:
        with self.history.open("a") as file:
            file.write(json.dumps(dict(line)) + "\n")

    def read_history(self) -> list[dict[str, Any]]:
        """The lines so far; one that a kill has cut off is left out."""
        return [json.loads(line) for line in self.history.read_text().splitlines() if line.endswith("}")]

    def forget_after(self, step: int) -> None:
        """Drop history and moments that a resumed run will make again."""
        kept = [line for line in self.read_history() if line["step"] <= step]
        self.history.write_text("".join(json.dumps(line) + "\n" for line in kept))
        for picture in self.moments.iterdir():
            if int(picture.stem) > step:
                picture.unlink()


def _restore_optimizer(optimizer: torch.optim.Optimizer, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Slots take the memory layout of their parameter: fused kernels walk both in the same order."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        owner, _, place = key.partition("/")
        if owner == name and "/" in place:  # weights have no slash in their names
            index, _, slot = place.partition("/")
            like = parameters[int(index)]
            state.setdefault(int(index), {})[slot] = (
                torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape and tensor.dim() else tensor
            )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def current_commit() -> str:
    """The commit that trains, or `unknown` outside a checkout."""
    done = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
