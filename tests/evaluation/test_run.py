from functools import partial
from pathlib import Path

import pytest

from imagegen.checkpoints import ModelStore
from imagegen.data.pictures import Sources
from imagegen.errors import CheckpointError, InputError
from imagegen.evaluation.digits import evaluate_classifier
from imagegen.evaluation.run import EVALUATIONS, evaluate


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


def test_a_name_that_is_not_there_is_refused(store: ModelStore) -> None:
    with pytest.raises(CheckpointError):
        evaluate(store, "gan-letters", None)


def test_a_checkpoint_without_a_measure_is_refused(store: ModelStore) -> None:
    (store.folder / "gan-mnist").rename(store.folder / "gan-letters")
    with pytest.raises(InputError, match=r"choose one of ae-mnist-2d, .*gan-mnist"):
        evaluate(store, "gan-letters", None)
