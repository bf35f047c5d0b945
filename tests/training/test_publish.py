"""From two steps of training to checkpoints that verify: the whole way that a shipped model goes."""

from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState

from imagegen.data.digits import mnist
from imagegen.data.pictures import Sources
from imagegen.errors import TrainingError
from imagegen.evaluation.features import reference_statistics
from imagegen.recipes import read_recipe
from imagegen.store import ModelStore
from imagegen.tasks.registry import TASKS, verify
from imagegen.training import gan
from imagegen.training.loop import Options, train
from imagegen.training.publish import publish
from imagegen.training.recipes import RECIPES, build
from imagegen.training.run import Run

CPU = torch.device("cpu")
DIGITS = [name for name in RECIPES if build(name, "small", seed=0).needs == ("mnist",)]
"""Recipes whose data are made up here; those of other families publish in their own tests."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps of every recipe of digits."""
    folder = tmp_path_factory.mktemp("runs")
    for name in DIGITS:
        recipe = build(name, "small", seed=4)
        options = Options(folder / name, steps=2, batch=16, seed=4, device="cpu", precision="no", command="train it")
        train(recipe, recipe.made_up_data(), options)
    AcceleratorState._reset_state(reset_partial_state=True)
    return folder


@pytest.fixture(scope="module")
def published(runs: Path, mnist_root: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    folder = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gan, "STYLES", 64)
        patch.setattr(gan, "NAMING", 2)
        for name in DIGITS:
            publish(runs / name, folder, Sources((mnist_root,)))
    return ModelStore(folder, CPU)


def test_all_that_was_published_verifies(published: ModelStore) -> None:
    assert published.names() == sorted([*DIGITS, "gan-mnist-discriminator"])
    for name in published.names():
        verify(published, name)


def test_a_card_says_how_it_was_made(published: ModelStore) -> None:
    for name in published.names():
        card = published.checkpoint(name).card()
        assert all([card.summary, card.licence, card.data])
        facts = {key: card.training[key] for key in ("command", "seed", "steps", "batch", "precision")}
        assert facts == {"command": "train it", "seed": 4, "steps": 2, "batch": 16, "precision": "no"}
        for key in ("commit", "hardware", "minutes", "torch"):
            assert card.training[key] is not None


@pytest.mark.parametrize(
    ("name", "network"),
    [("gan-mnist", "average"), ("gan-mnist-discriminator", "discriminator"), ("digit-classifier", "average")],
)
def test_the_weights_are_those_of_the_run(name: str, network: str, published: ModelStore, runs: Path) -> None:
    recipe = build(name.removesuffix("-discriminator"), "small", seed=99)
    Run(runs / recipe.name).restore(recipe.networks, recipe.optimizers)
    saved = published.checkpoint(name).load().state_dict()
    for key, tensor in recipe.networks[network].state_dict().items():
        assert torch.equal(saved[key], tensor.half().to(tensor.dtype))


def test_every_task_has_a_golden_picture_of_its_own(published: ModelStore) -> None:
    drawing = [task for task in TASKS.values() if task.checkpoint in published.names()]
    assert {task.name for task in drawing} >= {
        "diffusion-digits",
        "gan",
        "gan-walk",
        "vae-digits",
        "vae-place",
        "vae-plane",
    }
    for task in drawing:
        picture = published.folder / task.checkpoint / "golden" / f"{task.name}.png"
        assert read_recipe(picture).task == task.name


def test_directions_are_told_apart_and_named_once(published: ModelStore) -> None:
    directions = published.asset("gan-mnist", "directions")
    assert directions.shape == (8, 128)
    lengths = directions.norm(dim=1)
    assert (lengths[:-1] >= lengths[1:]).all()
    cosines = directions @ directions.T / (lengths[:, None] * lengths)
    assert torch.allclose(cosines, torch.eye(8), atol=1e-3)
    names = [name for name in published.asset("gan-mnist", "direction_names").tolist() if name >= 0]
    assert len(names) == len(set(names))


def test_assets_belong_to_the_weights_as_shipped(published: ModelStore, mnist_root: Path) -> None:
    pictures, _ = mnist(mnist_root, "test")[:]
    for key, expected in reference_statistics(published.get("digit-classifier"), pictures).items():
        assert torch.allclose(published.asset("digit-classifier", key), expected, rtol=1e-4)
    pictures, labels = mnist(mnist_root, "train")[:]
    discriminator, means = (
        published.get("gan-mnist-discriminator"),
        published.asset("gan-mnist-discriminator", "real_means"),
    )
    scores = discriminator(pictures, labels)
    assert torch.allclose(means, torch.stack([scores[labels == d].mean() for d in range(10)]), atol=1e-4)


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is not there or cannot be read"):
        publish(tmp_path, tmp_path / "checkpoints", Sources())
    assert not (tmp_path / "checkpoints").exists()
