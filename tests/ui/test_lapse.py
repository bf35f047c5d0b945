"""A training as a time-lapse: when each moment was, what the losses were, and what is read."""

import base64
import io
import shutil
from pathlib import Path

import pytest
import torch
from made_up_gans import STEPS, add_time_lapse
from PIL import Image

from imagegen.errors import CheckpointError
from imagegen.store import ModelStore
from imagegen.ui import gan_trainings
from imagegen.ui.lapse import POINTS, lapse_of, moment

MLP, DCGAN = "gan-mnist-mlp", "gan-mnist-dcgan"


def store_of(checkpoints: Path, folder: Path) -> ModelStore:
    return ModelStore(shutil.copytree(checkpoints, folder / "checkpoints"), torch.device("cpu"))


def level(png: str) -> object:
    with Image.open(io.BytesIO(base64.b64decode(png.partition(",")[2]))) as picture:
        return picture.getpixel((0, 0))


def test_moments_stand_in_order_with_the_minutes_before_them(store: ModelStore) -> None:
    lapse = lapse_of(store, DCGAN)
    assert lapse.steps == STEPS
    assert lapse.minutes == (0, 2, 5)
    for at, step in enumerate(STEPS):
        shown = moment(store, DCGAN, at)
        assert (shown["at"], shown["step"], shown["minutes"]) == (at, step, lapse.minutes[at])
        assert level(shown["picture"]) == step


def test_minutes_lie_between_the_lines_of_the_history(checkpoints: Path, tmp_path: Path) -> None:
    store = store_of(checkpoints, tmp_path)
    checkpoint = store.checkpoint(MLP)
    checkpoint.add(
        "assets/history.json", b'[{"step": 80, "seconds": 60, "loss": 1}, {"step": 120, "seconds": 300, "loss": 2}]'
    )
    assert lapse_of(store, MLP).minutes == (0, 0.5, 3)


def test_curves_are_means_of_what_was_logged(store: ModelStore, checkpoints: Path, tmp_path: Path) -> None:
    assert lapse_of(store, MLP).curves == {"loss D": [(step, 11 - step / 10) for step in range(10, 101, 10)]}
    copied = store_of(checkpoints, tmp_path)
    lines = ", ".join(f'{{"step": {i}, "seconds": {i}, "loss": {i % 2}}}' for i in range(1, 4 * POINTS + 1))
    copied.checkpoint(MLP).add("assets/history.json", f"[{lines}]".encode())
    assert lapse_of(copied, MLP).curves == {"loss": [(4 * i, 0.5) for i in range(1, POINTS + 1)]}


def test_a_checkpoint_without_moments_has_no_time_lapse(store: ModelStore) -> None:
    assert lapse_of(store, "ddpm-mnist").files == ()


def test_a_damaged_moment_is_not_shown(checkpoints: Path, tmp_path: Path) -> None:
    store = store_of(checkpoints, tmp_path)
    (store.folder / MLP / lapse_of(store, MLP).files[1]).write_bytes(b"another")
    assert moment(store, MLP, 0)["step"] == 0
    with pytest.raises(CheckpointError, match="damaged"):
        moment(store, MLP, 1)


@pytest.mark.parametrize(("share", "steps"), [(0, [0, 0]), (0.5, [40, 0]), (1, [100, 0])])
def test_the_same_minute_is_the_last_moment_up_to_it(share: float, steps: list[int], store: ModelStore) -> None:
    """The first took one minute in all, the second two to its second moment."""
    shown = gan_trainings.at_the_same_minute(store, [MLP, DCGAN], share)
    assert shown["minute"] == share
    assert [each["step"] for each in shown["moments"]] == steps


def test_without_moments_of_all_nothing_is_compared(store: ModelStore) -> None:
    assert gan_trainings.at_the_same_minute(store, [MLP, "gan-mnist"], 1) == {}


def test_figures_are_those_of_the_card(store: ModelStore) -> None:
    assert gan_trainings.figures(store, MLP) == {"minutes": 1, "device": "CPU", "figures": {"FID": 7.5}}
    assert gan_trainings.figures(store, "gan-mnist")["minutes"] is None


def test_a_training_of_an_hour_is_as_long_as_it_was(checkpoints: Path, tmp_path: Path) -> None:
    store = store_of(checkpoints, tmp_path)
    add_time_lapse(store.checkpoint(MLP), 3600)
    assert lapse_of(store, MLP).minutes == (0, 24, 60)
