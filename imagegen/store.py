"""What is in `checkpoints/`, loaded when it is first asked for, once for all, and never changed afterwards."""

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from imagegen.checkpoints import ASSETS, Checkpoint, networks_of
from imagegen.devices import DeviceLock, layout
from imagegen.errors import CheckpointError

__all__ = ["ModelStore", "weight_bytes"]

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class ModelStore:
    """What is in `checkpoints/`, loaded once and shared. Nothing that it hands out may be changed.

    Args:
        folder: of checkpoints.
        device: where networks are put.
        budget: bytes of weights to keep; the least recently used go first.
        engines: what paints after a prompt beside the checkpoints, by name (`engines.engine.Engine`).

    `turn` is held by whoever computes, for one step at a time.
    """

    def __init__(
        self, folder: Path, device: torch.device, budget: int = 4 * 2**30, engines: Mapping[str, Any] | None = None
    ) -> None:
        self.folder, self.device, self.budget = folder, device, budget
        self.engines = dict(engines or {})
        self.turn = DeviceLock()
        self._lock = threading.RLock()
        self._loading = threading.RLock()  # one at a time, and what is loaded already need not wait
        self._models: OrderedDict[str, Any] = OrderedDict()
        self._assets: dict[str, dict[str, Tensor]] = {}

    def names(self) -> list[str]:
        """Checkpoints that are there, damaged or not."""
        return sorted(p.name for p in self.folder.glob("*/") if _NAME.fullmatch(p.name))

    def checkpoint(self, name: str) -> Checkpoint:
        """
        Raises:
            CheckpointError: there is none of that name.
        """
        if name not in self.names():
            raise CheckpointError("There is no checkpoint {name} in {folder}.", name=repr(name), folder=self.folder)
        return Checkpoint(self.folder / name)

    def get(self, name: str) -> Any:
        """The network or pipeline, ready on the device.

        Raises:
            CheckpointError: it is missing or damaged.
        """
        model = self._kept(name)
        if model is None:
            with self._loading:
                model = self._kept(name) or self._loaded(name)
        return model

    def _kept(self, name: str) -> Any:
        with self._lock:
            if name in self._models:
                self._models.move_to_end(name)
            return self._models.get(name)

    def _loaded(self, name: str) -> Any:
        model = self.checkpoint(name).load()
        for network in map(_folded, networks_of(model)):
            network.to(self.device, memory_format=layout(network, self.device))  # type: ignore[call-overload]
        with self._lock:
            self._models[name] = model
            self._evict()
        return model

    def asset(self, name: str, key: str) -> Tensor:
        """A tensor of the checkpoint's `assets/tensors.safetensors`, on the CPU.

        Raises:
            CheckpointError: the checkpoint is missing, damaged or has no such tensor.
        """
        with self._lock:
            if name not in self._assets:
                self._assets[name] = self.checkpoint(name).tensors(ASSETS)
            if key not in self._assets[name]:
                raise CheckpointError("{file} holds no {key}.", file=f"{name}/{ASSETS}", key=key)
            return self._assets[name][key]

    def _evict(self) -> None:
        """Drop the least recently used, never the one just loaded."""
        while len(self._models) > 1 and sum(map(weight_bytes, self._models.values())) > self.budget:
            self._models.popitem(last=False)


def _folded(model: nn.Module) -> nn.Module:
    """Batch norms folded into the convolutions before them: the same function in half the time."""
    for block in model.modules():
        if isinstance(block, nn.Sequential):
            for i, (first, second) in enumerate(pairwise(block)):
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    block[i], block[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return model


def weight_bytes(model: Any) -> int:
    """What the weights of a network or pipeline take in memory."""
    tensors = (t for network in networks_of(model) for t in (*network.parameters(), *network.buffers()))
    return sum(t.numel() * t.element_size() for t in tensors)
