"""Pipelines of the Hub, fetched over real HTTP from a small one on loopback: said, refused in one line, kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from hub import COMMIT, Hub, hub
from huggingface_hub import constants
from huggingface_hub.utils import enable_progress_bars
from made_up_pipelines import add_sd
from serving import free_port

from imagegen.engines.engine import AUTO, Asked
from imagegen.engines.fetching import find_pipeline
from imagegen.engines.pipelines import Pipeline
from imagegen.errors import CheckpointError

MODEL = "owner/tiny"


class Fetched(NamedTuple):
    folder: Path | None
    refusal: str
    said: list[str]


class Here(NamedTuple):
    hub: Hub
    monkeypatch: pytest.MonkeyPatch

    def fetch(self, given: str) -> Fetched:
        said: list[str] = []
        try:
            return Fetched(find_pipeline(given, half=False, say=said.append)[1], "", said)
        except CheckpointError as refusal:
            return Fetched(None, str(refusal), said)

    def cut_off(self) -> None:
        """From here on nothing answers where the Hub was."""
        _reach(f"http://127.0.0.1:{free_port()}", self.monkeypatch)


def _reach(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it lies on the Hub: beside what is needed, weights as pickles, code and a picture."""
    folder = add_sd(tmp_path_factory.mktemp("hub") / "tiny")
    for name in ("unet/diffusion_pytorch_model.bin", "whole.ckpt", "unet/own.py", "preview.png", "README.md"):
        (folder / name).write_bytes(b"x" * 5_000_000)
    return folder


@pytest.fixture
def here(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", "")
    enable_progress_bars()  # as when the app starts; loading a pipeline, in another test, turns them off
    models = {MODEL: model, "owner/other": model / "unet"}
    with hub(models, gated=("owner/gated",)) as served:
        _reach(served.url, monkeypatch)
        yield Here(served, monkeypatch)


def test_a_model_is_downloaded_with_its_size_and_progress_said_and_then_needs_no_network(
    here: Here, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = here.fetch(MODEL)
    needed = {
        "model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json",
        "text_encoder/model.safetensors", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json",
        "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    }  # fmt: skip
    assert sorted(here.hub.downloaded) == sorted(needed), "each once, and no pickle, code or picture"
    size = sum((model / name).stat().st_size for name in needed) / 1e6
    assert found.said == [
        f"{MODEL}: 10 files of {size:.1f} MB from the Hub; what is in its cache is not downloaded again."
    ]
    assert "10/10" in capsys.readouterr().err
    assert found.folder is not None
    *_, last = Pipeline(found.folder, torch.device("cpu"), MODEL).paint(Asked("a", "", (0,), "ddim", 1, 1.0, AUTO))
    assert last.images.shape == (1, 3, 64, 64)

    again, exact = here.fetch(MODEL), here.fetch(f"{MODEL}@{COMMIT}")
    assert again.folder == exact.folder == found.folder
    assert len(here.hub.downloaded) == len(needed)
    here.cut_off()
    kept, exact, other = (here.fetch(given) for given in (MODEL, f"{MODEL}@{COMMIT}", "owner/other"))
    assert kept.folder == exact.folder == found.folder
    assert other.refusal.startswith("The Hub cannot be reached, and owner/other is not in its cache: ")
    assert "\n" not in other.refusal


def test_what_cannot_be_had_is_told_in_one_line_and_nothing_is_downloaded(here: Here) -> None:
    given = ["owner/gated", "owner/none", f"{MODEL}@v9", "owner/other", "../secret", "https://127.0.0.1/x"]
    found = [here.fetch(each) for each in given]
    assert [each.refusal for each in found] == [
        "owner/gated is gated: accept its terms on its page of the Hub, and sign in with `hf auth login`.",
        "There is no 'owner/none', neither as a folder nor on the Hub.",
        f"{MODEL} has no revision 'v9'.",
        "owner/other is no pipeline of diffusers: it has no readable model_index.json.",
        "'../secret' is neither a folder nor the id of a model on the Hub.",
        "'https://127.0.0.1/x' is neither a folder nor the id of a model on the Hub.",
    ]
    assert not any(each.said for each in found)
    assert not here.hub.downloaded


def test_a_download_that_was_broken_off_is_not_taken_for_the_model(here: Here) -> None:
    found = here.fetch(MODEL)
    assert found.folder is not None
    (found.folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    here.cut_off()
    assert here.fetch(MODEL).refusal.startswith(f"The Hub cannot be reached, and {MODEL} is not in its cache: ")
