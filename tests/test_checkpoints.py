"""Checkpoints: there and back, every kind of damage found, and a store that loads once."""

import importlib
import json
import pickle
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save
from torch import Tensor, nn

from imagegen import checkpoints as checkpoints_module
from imagegen.cards import Card
from imagegen.checkpoints import ASSETS, CLASSES, SUMS, Checkpoint, write_checkpoint
from imagegen.errors import CheckpointError
from imagegen.models.gan import ConditionalGenerator
from imagegen.store import ModelStore

CPU = torch.device("cpu")
NAMES = ["digit-classifier", "gan-mnist", "gan-mnist-discriminator"]
ARGS = {"z_dim": 8, "w_dim": 16, "width": 2}
CARD = Card("A model.", "apache-2.0", "nothing", {"command": "train x", "seed": 3})


@pytest.fixture
def damaged(checkpoints: Path, tmp_path: Path) -> Checkpoint:
    """A copy of gan-mnist for a test to damage."""
    return Checkpoint(shutil.copytree(checkpoints / "gan-mnist", tmp_path / "damaged" / "gan-mnist"))


def write(folder: Path, model: nn.Module, assets: dict[str, Tensor] | None = None) -> Checkpoint:
    config = {"class": "gan.ConditionalGenerator", "args": ARGS}
    example = {"z": torch.zeros(2, 8), "labels": torch.tensor([3, 7])}
    return write_checkpoint(folder, model, config, CARD, example, assets or {})


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_that_a_config_may_name_is_there(name: str) -> None:
    file, _, class_name = name.partition(".")
    assert issubclass(getattr(importlib.import_module(f"imagegen.models.{file}"), class_name), nn.Module)


def test_weights_come_back_as_fp16_keeps_them(tmp_path: Path) -> None:
    model = ConditionalGenerator(**ARGS)
    checkpoint = write(tmp_path / "x", model, {"mean": torch.arange(3.0)})
    checkpoint.verify()
    loaded = checkpoint.load()
    assert not loaded.training
    for key, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor.half().float())
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in loaded.parameters())
    assert {t.dtype for t in load_file(checkpoint.folder / "model.safetensors").values()} == {torch.float16}
    assert checkpoint.tensors(ASSETS)["mean"].tolist() == [0, 1, 2]


def test_golden_tensors_are_what_the_stored_weights_compute(tmp_path: Path) -> None:
    checkpoint = write(tmp_path / "x", ConditionalGenerator(**ARGS))
    golden = checkpoint.tensors("golden/tensors.safetensors")
    output = golden.pop("output")
    assert torch.equal(checkpoint.load()(**golden), output)


def test_writing_again_replaces_the_whole_folder(tmp_path: Path) -> None:
    write(tmp_path / "x", ConditionalGenerator(**ARGS), {"mean": torch.zeros(3)}).add("assets/curve.png", b"curve")
    first = Checkpoint(tmp_path / "x").sha256()
    checkpoint = write(tmp_path / "x", ConditionalGenerator(**ARGS))
    checkpoint.verify()
    assert not (checkpoint.folder / "assets").exists()
    assert checkpoint.sha256() != first
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_weights_that_are_not_finite_are_not_written_over_good_ones(tmp_path: Path) -> None:
    good = write(tmp_path / "x", ConditionalGenerator(**ARGS))
    broken = ConditionalGenerator(**ARGS)
    for value in (float("nan"), 1e6):  # the second is finite, but not as fp16
        with torch.no_grad():
            broken.start.weight[3, 4] = value
        with pytest.raises(CheckpointError, match=r"start\.weight holds values that are not finite"):
            write(tmp_path / "x", broken)
    good.verify()
    assert ModelStore(tmp_path, CPU).names() == ["x"]


def test_large_weights_are_split_and_every_part_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write(tmp_path / "whole", ConditionalGenerator(**ARGS)).load()
    monkeypatch.setattr(checkpoints_module, "MAX_SHARD", "8KB")
    checkpoint = write(tmp_path / "parts", whole)
    parts = sorted(checkpoint.folder.glob("model-*.safetensors"))
    assert len(parts) > 1
    for key, tensor in checkpoint.load().state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[key])
    sha256 = checkpoint.sha256()
    checkpoint.add(parts[-1].name, parts[-1].read_bytes() + b" ")
    assert checkpoint.sha256() != sha256


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_byte_anywhere_is_found(name: str, checkpoints: Path, tmp_path: Path) -> None:
    checkpoint = Checkpoint(shutil.copytree(checkpoints / name, tmp_path / name))
    files = files_of(checkpoint.folder)
    assert len(files) == 6
    for path in files:
        good = path.read_bytes()
        for place in (0, len(good) // 3, len(good) - 1):
            path.write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
            for read in (checkpoint.verify, checkpoint.load):
                with pytest.raises(CheckpointError, match=r"take checkpoints/ again from git"):
                    read()
        path.write_bytes(good)
    checkpoint.verify()


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "README.md", ASSETS, SUMS])
def test_a_missing_or_truncated_file_is_named(file: str, damaged: Checkpoint) -> None:
    path = damaged.folder / file
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="take checkpoints/ again from git"):
        damaged.load()
    path.unlink()
    with pytest.raises(CheckpointError, match=f"gan-mnist/{file} is missing"):
        damaged.verify()


def test_a_file_that_nobody_listed_is_named(damaged: Checkpoint) -> None:
    (damaged.folder / "assets" / "extra.png").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"assets/extra\.png is not listed in SHA256SUMS"):
        damaged.verify()


def test_an_index_dropped_in_does_not_lead_to_other_weights(damaged: Checkpoint) -> None:
    shutil.copy(damaged.folder / "model.safetensors", damaged.folder.parent / "other.safetensors")
    keys = load_file(damaged.folder / "model.safetensors").keys()
    index = {"metadata": {}, "weight_map": dict.fromkeys(keys, "../other.safetensors")}
    (damaged.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="not listed"):
        damaged.load()


class Exploding:
    """Unpickling it leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "model.pt"])
def test_a_pickle_is_never_unpickled(file: str, damaged: Checkpoint, tmp_path: Path) -> None:
    marker = tmp_path / "unpickled"
    (damaged.folder / "model.safetensors").unlink()
    damaged.add(file, pickle.dumps(Exploding(marker)))
    with pytest.raises(CheckpointError, match="the weights do not fit"):
        damaged.load()
    assert not marker.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_on_disk_that_are_not_finite_are_refused(value: float, damaged: Checkpoint) -> None:
    weights = load_file(damaged.folder / "model.safetensors")
    weights["conv28.style.bias"][0] = value
    damaged.add("model.safetensors", save(weights))
    damaged.verify()
    with pytest.raises(CheckpointError, match=r"conv28\.style\.bias holds values that are not finite"):
        damaged.load()


def test_weights_of_another_shape_or_name_are_refused(damaged: Checkpoint) -> None:
    weights = load_file(damaged.folder / "model.safetensors")
    without_one = {key: tensor for key, tensor in weights.items() if key != "start.bias"}
    for wrong in (without_one, weights | {"extra": torch.zeros(1)}, weights | {"start.bias": torch.zeros(7)}):
        damaged.add("model.safetensors", save(wrong))
        with pytest.raises(CheckpointError, match="the weights do not fit"):
            damaged.load()


@pytest.mark.parametrize("name", ["os.system", "gan._StyledConv", "gan.ConditionalGenerator.forward", "", None])
def test_a_class_outside_the_table_is_refused(name: str | None, damaged: Checkpoint) -> None:
    damaged.add("config.json", json.dumps({"class": name, "args": {}}).encode())
    with pytest.raises(CheckpointError, match="unknown class"):
        damaged.load()


@pytest.mark.parametrize(
    "name", ["nothing", "..", "../gan-mnist", "gan-mnist/..", "gan-mnist/", "/etc", ".", "", "gan-mnist\0", "*"]
)
def test_only_names_of_what_is_there_are_answered(name: str, store: ModelStore) -> None:
    for read in (store.checkpoint, store.get, lambda wanted: store.asset(wanted, "x")):
        with pytest.raises(CheckpointError, match="There is no checkpoint"):
            read(name)


def test_a_damaged_checkpoint_is_still_listed_and_the_others_work(checkpoints: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints, tmp_path / "checkpoints")
    (folder / "gan-mnist" / "config.json").unlink()
    (folder / "gan-mnist.partial").mkdir()
    store = ModelStore(folder, CPU)
    assert store.names() == sorted(path.name for path in checkpoints.iterdir())
    with pytest.raises(CheckpointError):
        store.get("gan-mnist")
    assert store.get("digit-classifier")(torch.zeros(1, 1, 28, 28)).shape == (1, 10)


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert ModelStore(tmp_path / "nowhere", CPU).names() == []


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=40)
plain = st.one_of(st.integers(), st.floats(allow_nan=False), text)


@settings(max_examples=60, deadline=None)
@given(
    card=st.builds(
        Card,
        summary=text,
        licence=text,
        data=text,
        training=st.dictionaries(text, plain, max_size=3),
        figures=st.dictionaries(text, st.fixed_dictionaries({"value": st.floats(-1e9, 1e9), "how": text}), max_size=3),
    )
)
def test_a_card_survives_markdown(card: Card) -> None:
    assert Card.from_markdown(card.to_markdown("x")) == card


def test_a_card_shows_what_its_head_says() -> None:
    card = Card(
        "It reads.", "mit", "MNIST", {"command": "train it", "seed": 5}, {"FID": {"value": 1.23456, "how": "h"}}
    )
    shown = card.to_markdown("reader").partition("\n---\n")[2]
    for words in ("# reader", "It reads.", "MNIST", "mit", "train it", "| seed | 5 |", "| FID | 1.235 |  | h |"):
        assert words in shown


def test_figures_that_differ_in_numbers_only_share_a_row() -> None:
    names = ("FID", "FID ddim 5 steps", "FID ddim 20 steps", "FID ddpm 5 steps", "loss at t 0 to 4", "loss at t 5 to 9")
    card = Card("It draws.", "mit", "MNIST", figures={name: {"value": i, "how": "h"} for i, name in enumerate(names)})
    card.figures["loss at t 10 to 14"] = {"value": 6, "how": "on another day"}
    rows = [line.split(" | ")[:2] for line in card.to_markdown("drawer").splitlines() if line.startswith("| ")]
    assert rows[-5:] == [
        ["| FID", "0"],
        ["| FID ddim 5, 20 steps", "1, 2"],
        ["| FID ddpm 5 steps", "3"],
        ["| loss at t 0 to 4, 5 to 9", "4, 5"],
        ["| loss at t 10 to 14", "6"],
    ]
    assert Card.from_markdown(card.to_markdown("drawer")) == card
    card.figures = {f"loss at t {t} to {t + 4}": {"value": t, "how": "h"} for t in range(0, 100, 5)}
    assert "| loss at t 0 to 4 … 95 to 99 | 0, 5, 10, " in card.to_markdown("drawer")


@pytest.mark.parametrize(
    "words", ["", "# no head", "---\n: : :\n---\n", "---\n- a\n---\n", "---\nsummary: x\n---\n", "---\nx"]
)
def test_a_card_that_cannot_be_read_is_refused(words: str) -> None:
    with pytest.raises(CheckpointError, match="card cannot be read"):
        Card.from_markdown(words)


def test_a_rewritten_card_is_listed_and_leaves_the_weights_their_name(damaged: Checkpoint) -> None:
    sha256, card = damaged.sha256(), damaged.card()
    card.figures["KID"] = {"value": 0.25, "how": "measured"}
    damaged.rewrite_card(card)
    damaged.verify()
    assert damaged.card() == card
    assert damaged.sha256() == sha256


def test_a_rewritten_card_shows_the_drawings_among_the_assets(damaged: Checkpoint) -> None:
    damaged.add("assets/loss.svg", b"<svg/>")
    damaged.add("assets/prompts.webp", b"")
    damaged.add("assets/moments/0.webp", b"")
    damaged.rewrite_card(damaged.card())
    damaged.verify()
    shown = re.findall(r"!\[.*", (damaged.folder / "README.md").read_text())
    assert shown == ["![loss](assets/loss.svg)", "![prompts](assets/prompts.webp)"]


def test_a_store_loads_once_for_all_who_ask_at_once(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads, load = [], Checkpoint.load

    def slow_load(checkpoint: Checkpoint) -> nn.Module:
        loads.append(checkpoint.name)
        time.sleep(0.05)
        return load(checkpoint)

    monkeypatch.setattr(Checkpoint, "load", slow_load)
    store = ModelStore(checkpoints, CPU)
    with ThreadPoolExecutor(4) as threads:
        models = list(threads.map(store.get, ["gan-mnist"] * 4))
    assert loads == ["gan-mnist"]
    assert all(model is models[0] for model in models)


def test_the_least_recently_used_goes_first(checkpoints: Path) -> None:
    roomy = ModelStore(checkpoints, CPU)
    together = sum(t.nbytes for name in NAMES for t in roomy.get(name).state_dict().values())
    store = ModelStore(checkpoints, CPU, budget=together - 1)
    a, b, c = NAMES
    first = {name: store.get(name) for name in (a, b)}
    store.get(a)
    store.get(c)  # too much: b was not asked for since
    assert store.get(a) is first[a]
    assert store.get(b) is not first[b]


def test_one_model_is_kept_however_small_the_budget(checkpoints: Path) -> None:
    store = ModelStore(checkpoints, CPU, budget=0)
    first = store.get("gan-mnist")
    assert store.get("gan-mnist") is first
    store.get("digit-classifier")
    assert store.get("gan-mnist") is not first
