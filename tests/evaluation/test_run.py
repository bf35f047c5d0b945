"""From a name to figures in a card."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from imagegen.data.pictures import Sources
from imagegen.errors import CheckpointError, InputError
from imagegen.evaluation.curves import fid_name, solver_table
from imagegen.evaluation.digits import evaluate_classifier
from imagegen.evaluation.measures import Figures, figure
from imagegen.evaluation.run import EVALUATIONS, evaluate
from imagegen.store import ModelStore


def test_figures_are_written_into_the_card_and_others_stay(store: ModelStore, data_root: Path) -> None:
    evaluate(store, "gan-mnist-discriminator", Sources((data_root,)))
    checkpoint = store.checkpoint("gan-mnist-discriminator")
    checkpoint.verify()
    assert list(checkpoint.card().figures) == ["speed", "pairs ranked right"]


def test_a_card_reads_back_as_it_was_measured(
    store: ModelStore, data_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EVALUATIONS, "digit-classifier", partial(evaluate_classifier, count=100))
    card = evaluate(store, "digit-classifier", Sources((data_root,)))
    assert store.checkpoint("digit-classifier").card() == card


def test_parts_are_written_as_they_come_and_drawn(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluation(*_: object) -> Iterator[Figures]:
        yield {"FID": figure(2.5, "guessed")}
        yield {fid_name(500, "ddim", steps): figure(30 / steps, "guessed") for steps in (5, 10)}
        raise KeyboardInterrupt

    monkeypatch.setitem(EVALUATIONS, "gan-mnist", evaluation)
    with pytest.raises(KeyboardInterrupt):
        evaluate(store, "gan-mnist", Sources())
    checkpoint = store.checkpoint("gan-mnist")
    checkpoint.verify()
    card = checkpoint.card()
    assert card.figures["FID"]["value"] == 2.5
    assert solver_table(card) == {"ddim": [(5, 6.0), (10, 3.0)]}
    assert checkpoint.files("assets") == ["assets/fid-by-steps.svg"]
    assert "(assets/fid-by-steps.svg)" in (checkpoint.folder / "README.md").read_text()


def test_a_name_that_is_not_there_is_refused(store: ModelStore) -> None:
    with pytest.raises(CheckpointError):
        evaluate(store, "gan-letters", None)


def test_a_checkpoint_without_a_measure_is_refused(store: ModelStore) -> None:
    (store.folder / "gan-mnist").rename(store.folder / "gan-letters")
    with pytest.raises(InputError, match=r"choose one of ae-mnist-2d, .*gan-mnist"):
        evaluate(store, "gan-letters", None)
