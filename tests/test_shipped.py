"""Every checkpoint in `checkpoints/` as a clone gets it: whole, small, described, and computing what it did."""

from pathlib import Path

import pytest
import torch

from imagegen.checkpoints import SUMS, ModelStore
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


def test_files_are_small_and_of_safe_kinds() -> None:
    for path in FILES:
        assert path.suffix in (".safetensors", ".json", ".md", ".png", ".svg", ".webp") or path.name == SUMS, path
        assert path.stat().st_size <= MAX_FILE_BYTES, path
    assert sum(path.stat().st_size for path in FILES) <= MAX_BYTES
