"""Rows 20 to 23 of the bad inputs: damaged checkpoints turn their tab off, and the rest works."""

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import torch
from e2e.browsing import RUN
from e2e.endpoints import ask
from e2e.visiting import App, assert_refused, faults, page_of, running
from playwright.sync_api import Browser, expect
from reliability.how_many import FULL
from safetensors.torch import load_file, save_file

from imagegen.checkpoints import Checkpoint
from imagegen.errors import CheckpointError
from imagegen.store import ModelStore

ROOT = Path(__file__).parents[2]
STEP = 2**16
"""Bytes, in each of which one bit is flipped."""


class Trap:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, evidence: Path) -> None:
        self.evidence = evidence

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.open, (str(self.evidence), os.O_CREAT)


def truncate(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-1000])


def flip(weights: Path) -> None:
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)


def pickle_instead(weights: Path) -> None:
    weights.unlink()
    for name in "model.safetensors", "pytorch_model.bin":
        Checkpoint(weights.parent).add(name, pickle.dumps(Trap(weights.parents[2] / "evidence")))


def poison(weights: Path) -> None:
    tensors = load_file(weights)
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    save_file(tensors, weights)
    Checkpoint(weights.parent).add("model.safetensors", weights.read_bytes())


class Damage(NamedTuple):
    weights: str
    how: Callable[[Path], None]
    reason: str
    endpoints: tuple[str, ...]


HALVES: list[dict[str, Damage]] = [
    {
        "gan": Damage("gan-mnist/model.safetensors", poison, "not finite", ("gan_sample",)),
        "vae": Damage("vae-mnist/model.safetensors", pickle_instead, "the weights do not fit", ("vae_encode",)),
        "diff": Damage("ddpm-mnist/model.safetensors", truncate, "is damaged", ("diffuse_sample", "diffuse_race")),
    },
    {
        "words": Damage("sd-mini/unet/diffusion_pytorch_model.safetensors", flip, "is damaged", ("text_to_image",)),
        "edit": Damage(
            "sd-mini/vae/diffusion_pytorch_model.safetensors", flip, "is damaged", ("edit_image", "inpaint")
        ),
        "style": Damage("style-features/model.safetensors", truncate, "is damaged", ("stylize_slow",)),
        "sr": Damage("sr-x4/model.safetensors", flip, "is damaged", ("upscale",)),
    },
]
"""By tab. Half of the tabs are damaged in an app where the other half must work."""

# What a network computes is no number any more.
NO_NUMBERS_APP = """
from imagegen.tasks import sr
upscale = sr.upscale
sr.upscale = lambda *values: upscale(*values) * float("nan")
import app
app.main()
"""


@contextmanager
def damaged(half: dict[str, Damage], checkpoints: Path, folder: Path) -> Iterator[tuple[App, httpx.Client]]:
    copy = shutil.copytree(checkpoints, folder / "checkpoints")
    for damage in half.values():
        damage.how(copy / damage.weights)
    with running(folder / "log.txt", copy, program=("-c", NO_NUMBERS_APP)) as app, app.http() as http:
        yield app, http
        assert not faults(app.log.read_text())
    assert not (folder / "evidence").exists()


@pytest.mark.browser
@pytest.mark.parametrize("half", HALVES, ids=lambda half: "-".join(half))
def test_rows_20_to_22_damaged_tabs_are_off_with_the_reason_and_the_rest_works(
    half: dict[str, Damage], checkpoints: Path, tmp_path: Path, browser: Browser
) -> None:
    with damaged(half, checkpoints, tmp_path) as (app, http):
        shown = {
            component["props"].get("elem_id"): json.dumps(component["props"].get("value"))
            for component in page_of(http)["components"]
        }
        for tab, damage in half.items():
            said = shown.get(f"{tab}-off", "")
            for name in damage.endpoints:
                answer = ask(http, name)
                assert_refused(answer)
                assert damage.reason in said + answer.message, (tab, said, answer)
            assert damage.weights.partition("/")[0] in said + answer.message
        off = {name for damage in half.values() for name in damage.endpoints}
        spared = {"gan_sample", "text_to_image", "diffuse_sample", "vae_encode", "stylize_slow"} - off
        for name in spared:
            assert ask(http, name).event == "complete", name
        if "sr" not in half:
            assert_refused(ask(http, "upscale"), "not finite numbers")  # row 22: never a black picture
        page = browser.new_page()
        page.set_default_timeout(RUN)
        page.goto(app.url)
        expect(page.locator("h1")).to_be_visible(timeout=RUN)
        expect(page.locator("#gan-off")).to_have_count(int("gan" in half), timeout=RUN)
        page.close()


SHIPPED = sorted(path for path in (ROOT / "checkpoints").rglob("*") if path.is_file() and path.name != "SHA256SUMS")


def test_row_20_a_flipped_bit_in_any_file_is_found(tmp_path: Path) -> None:
    """One byte every 64 kB; in the slice the first of each file."""
    flipped = 0
    for path in SHIPPED:
        name, content = path.relative_to(ROOT / "checkpoints").parts[0], path.read_bytes()
        checkpoint = Checkpoint(ROOT / "checkpoints" / name)
        copy = tmp_path / name
        copy.mkdir(exist_ok=True)
        shutil.copy(checkpoint.folder / "SHA256SUMS", copy)
        file = copy / path.relative_to(checkpoint.folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        for place in range(0, len(content) if FULL else 1, STEP):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(CheckpointError, match="is damaged"):
                Checkpoint(copy).read(file.relative_to(copy).as_posix())
            flipped += 1
    assert flipped >= len(SHIPPED) > 50


def test_row_20_a_flipped_bit_in_any_list_of_sums_is_found(tmp_path: Path) -> None:
    """In the first sum and in the last name of each; the files beside it are the shipped ones."""
    for sums in sorted((ROOT / "checkpoints").glob("*/SHA256SUMS")):
        folder = shutil.copytree(sums.parent, tmp_path / sums.parent.name, copy_function=os.symlink)
        copy, content = folder / sums.name, sums.read_bytes()
        copy.unlink()
        for place in (0, len(content) - 2):
            copy.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(CheckpointError, match="take checkpoints/ again from git"):
                Checkpoint(folder).verify()


def test_row_20_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint 'gan-mnist'"):
        ModelStore(tmp_path, torch.device("cpu")).get("gan-mnist")
