"""A whole evaluation of a generator without labels."""

from pathlib import Path

import torch

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation.classic_gan import evaluate_digits
from imagegen.evaluation.digits import digit_figures
from imagegen.evaluation.features import as_saved
from imagegen.evaluation.measures import without_bars
from imagegen.models.classic_gan import DcganGenerator
from imagegen.store import ModelStore


def test_what_is_judged_is_picture_i_of_seed_i(store: ModelStore, data_root: Path) -> None:
    args = {"z_dim": 4, "start": 7, "widths": (4, 2), "colours": 1}
    write_checkpoint(
        store.folder / "gan-mnist-dcgan",
        DcganGenerator(**args).eval(),
        {"class": "classic_gan.DcganGenerator", "args": args},
        Card("made up", "apache-2.0", "noise"),
        {"z": torch.zeros(4, 4)},
        {},
    )
    pictures = as_saved(store.get("gan-mnist-dcgan")(picture_noise(0, 100, 4)))
    figures = evaluate_digits(store, "gan-mnist-dcgan", Sources((data_root,)), count=100)
    assert figures == without_bars(digit_figures(pictures, None, store, data_root))
    assert {"FID", "KID", "IS", "precision", "recall"} <= figures.keys()
