"""Checkpoints: there and back, every kind of damage found, and a store that loads once."""

import json
import pickle
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn

from imagegen import checkpoints as module
from imagegen.checkpoints import CLASSES, Card, Checkpoint, ModelStore, write_checkpoint
from imagegen.errors import CheckpointError
from imagegen.models.gan import ConditionalGenerator

CPU = torch.device("cpu")
NAMES = ("digit-classifier", "gan-mnist", "gan-mnist-discriminator")
ARGS = {"z_dim": 8, "w_dim": 16, "width": 2}
CONFIG = {"class": "gan.ConditionalGenerator", "args": ARGS}
CARD = Card("A model.", "apache-2.0", "nothing", {"command": "train x", "seed": 3})


@pytest.fixture
def copy(checkpoints: Path, tmp_path: Path) -> Path:
    """A folder of checkpoints to be damaged."""
    return shutil.copytree(checkpoints, tmp_path / "checkpoints")


def write(folder: Path, model: nn.Module, assets: dict[str, Tensor] | None = None) -> Checkpoint:
    example = {"z": torch.zeros(2, 8), "labels": torch.tensor([3, 7])}
    return write_checkpoint(folder, model, CONFIG, CARD, example, assets or {})


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_that_a_config_may_name_is_there(name: str) -> None:
    file, _, class_name = name.partition(".")
    __import__(f"imagegen.models.{file}")
    assert issubclass(getattr(getattr(module.importlib.import_module("imagegen.models"), file), class_name), nn.Module)
