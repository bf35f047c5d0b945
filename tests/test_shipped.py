"""Every checkpoint in `checkpoints/` as a clone gets it: whole, small, described, and computing what it did."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from imagegen.checkpoints import SUMS
from imagegen.store import ModelStore
from imagegen.tasks.registry import verify

STORE = ModelStore(Path(__file__).parents[1] / "checkpoints", torch.device("cpu"))
FILES = [path for path in STORE.folder.rglob("*") if path.is_file()]
MAX_FILE_BYTES = 9_000_000  # the Hub takes larger ones only through LFS
MAX_BYTES = 130_000_000


def test_all_that_the_page_needs_is_there() -> None:
    assert {"digit-classifier", "gan-mnist", "gan-mnist-discriminator"} <= set(STORE.names())


@pytest.mark.parametrize("name", STORE.names())
def test_it_is_undamaged_and_computes_what_it_did(name: str) -> None:
    verify(STORE, name)


@pytest.mark.parametrize("name", STORE.names())
def test_its_card_is_complete(name: str) -> None:
    card = STORE.checkpoint(name).card()
    assert all([card.summary, card.licence, card.data])
    for key in ("command", "commit", "seed", "hardware", "minutes"):
        assert card.training.get(key) not in (None, "", "unknown"), key
    assert card.figures
    for figure in card.figures.values():
        assert figure["how"]
        assert abs(float(figure["value"])) < float("inf")


@pytest.mark.parametrize("name", STORE.names())
def test_it_ships_the_example_that_proves_it(name: str) -> None:
    assert (STORE.folder / name / "golden" / "tensors.safetensors").is_file()


@pytest.mark.skipif("sd-mini" not in STORE.names(), reason="sd-mini is not trained yet")
def test_plain_diffusers_runs_sd_mini_without_this_project(tmp_path: Path) -> None:
    program = (
        "import importlib.util, sys\n"
        "from diffusers import StableDiffusionPipeline\n"
        "assert importlib.util.find_spec('imagegen') is None\n"
        "pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[1], local_files_only=True)\n"
        "pictures = pipeline(['a red heart', '戴眼镜的女士'], num_inference_steps=2).images\n"
        "print([picture.size for picture in pictures], [len(set(picture.getdata())) > 100 for picture in pictures])\n"
    )
    command = [sys.executable, "-I", "-W", "ignore", "-c", program, str(STORE.folder / "sd-mini")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[(64, 64), (64, 64)] [True, True]"


def test_files_are_small_and_of_safe_kinds() -> None:
    for path in FILES:
        assert path.suffix in (".safetensors", ".json", ".md", ".png", ".svg", ".webp") or path.name == SUMS, path
        assert path.stat().st_size <= MAX_FILE_BYTES, path
    assert sum(path.stat().st_size for path in FILES) <= MAX_BYTES
