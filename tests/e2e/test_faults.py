"""Rows 20, 21, 22 and 29 of the bad inputs: damaged checkpoints turn their tab off, and nothing needs a network."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from e2e.browsing import PATIENCE, open_tab
from e2e.visiting import CHECKPOINTS, running, sample, sheet
from playwright.sync_api import Browser, expect
from safetensors.torch import load_file, save_file
from serving import LOOPBACK, WATCH

from imagegen.checkpoints import Checkpoint


class Trap:
    """Leaves a file behind if it is ever unpickled."""

    def __init__(self, evidence: Path) -> None:
        self.evidence = evidence

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.open, (str(self.evidence), os.O_CREAT)


def truncate(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-1000])


def pickle_instead(weights: Path) -> None:
    weights.unlink()
    for name in "model.safetensors", "pytorch_model.bin":
        Checkpoint(weights.parent).add(name, pickle.dumps(Trap(weights.parents[2] / "evidence")))


def poison(weights: Path) -> None:
    tensors = load_file(weights)
    next(iter(tensors.values())).view(-1)[0] = torch.nan
    save_file(tensors, weights)
    Checkpoint(weights.parent).add("model.safetensors", weights.read_bytes())


@pytest.mark.browser
@pytest.mark.parametrize(
    ("damage", "reason"),
    [(truncate, "damaged"), (pickle_instead, "the weights do not fit"), (poison, "not finite")],
    ids=["row 20: truncated", "row 21: pickle", "row 22: NaN"],
)
def test_a_damaged_checkpoint_turns_its_tab_off(
    browser: Browser, tmp_path: Path, damage: Callable[[Path], None], reason: str
) -> None:
    checkpoints = tmp_path / "checkpoints"
    shutil.copytree(CHECKPOINTS, checkpoints)
    damage(checkpoints / "gan-mnist" / "model.safetensors")
    with running(tmp_path / "log.txt", checkpoints) as app:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(app.url)
        expect(page.locator("#gan-off")).to_contain_text(reason)
        expect(page.locator("#gan-off")).to_contain_text("gan-mnist")
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator(".sheet")).to_have_count(0)
        page.close()
        assert "Traceback" not in app.log.read_text()
    assert not (tmp_path / "evidence").exists()


@pytest.mark.browser
def test_row_20_a_damaged_diffusion_model_leaves_the_other_tabs_alone(browser: Browser, tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    shutil.copytree(CHECKPOINTS, checkpoints)
    truncate(checkpoints / "ddpm-mnist" / "model.safetensors")
    with running(tmp_path / "log.txt", checkpoints) as app:
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(app.url)
        expect(page.locator(".cell")).to_have_count(30)
        open_tab(page, "diff.tab")
        expect(page.locator("#diff-off")).to_contain_text("ddpm-mnist/model.safetensors is damaged")
        expect(page.locator(".denoise")).to_have_count(0)
        page.close()
        assert "Traceback" not in app.log.read_text()


def test_row_29_a_picture_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    notes = tmp_path / "notes.txt"
    proxy = "http://proxy.invalid:3128"
    env = {"PYTHONPATH": str(tmp_path), "NOTES": str(notes), "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    with running(tmp_path / "log.txt", env=env) as app, app.http() as http:
        assert sheet(http, sample(http)).startswith(b"\x89PNG")
    assert set(notes.read_text().split()) <= LOOPBACK
