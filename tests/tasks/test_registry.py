"""Tasks by name: recipes that make their picture again, samples for the command line, golden files that are checked."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save

from imagegen.devices import SEEDS
from imagegen.errors import CheckpointError, InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.recipes import from_json, from_link, picture_sha256, read_recipe, to_json, to_link, to_png
from imagegen.store import ModelStore
from imagegen.tasks import registry
from imagegen.tasks.registry import TASKS, Task, recipe_of, replay, request_of, sample, sample_from, verify

REQUESTS: dict[str, dict[str, Any]] = {
    "diffusion-digits": {"count": 4, "seed": SEEDS - 2, "solver": "ddim", "steps": 3, "eta": 0.5, "guidance_scale": 2},
    "diffusion-faces": {"count": 4, "seed": 5, "steps": 3, "wanted": ("Smiling", "Young"), "unwanted": ["Male"]},
    "gan": {"count": 5, "seed": SEEDS - 2, "directions": (1, -3), "chosen": 3, "second_digit": 4, "mix": 0.3},
    "gan-dcgan": {"count": 4, "seed": SEEDS - 2},
    "gan-faces": {"count": 4, "seed": 5},
    "gan-mlp": {"count": 4, "seed": 5},
    "gan-walk": {"digit": 1, "second_digit": 7, "seed": 5, "frames": 4},
    "vae-celeba-way": {"start": 3, "end": 4, "path": "spherical", "frames": 4},
    "text-to-image": {"count": 4, "seed": 5, "steps": 3, "prompt": "戴眼镜的 woman\u200b", "negative_prompt": "a sun"},
    "vae-digits": {"count": 4, "seed": SEEDS - 2, "offsets": (1, -2)},
    "vae-faces": {"count": 4, "seed": 5, "attributes": (0, 2)},
    "vae-mnist-2d-way": {"start": 7, "frames": 4},
    "vae-mnist-way": {"start": SEEDS - 1, "end": 2, "path": "spherical", "frames": 5},
    "vae-place": {"z": (0.5, -0.5), "plane": "ae-mnist-2d"},
    "vae-plane": {"count": 4, "seed": 5, "offsets": (0, 3)},
}
TAKING: dict[str, dict[str, Any]] = {"upscale": {}, "upscale-pleasing": {"pleasing": 0.3}, "upscale-real": {}}
"""Of the tasks that take a picture."""
GOLDEN = "golden/tensors.safetensors"
DRAWING = [task for task in TASKS.values() if not task.pictures]
PICTURE = Image.effect_noise((9, 7), 90).convert("RGB")


@pytest.fixture
def own_store(checkpoints: Path, tmp_path: Path) -> ModelStore:
    """A copy that a test may change."""
    return ModelStore(shutil.copytree(checkpoints, tmp_path / "checkpoints"), torch.device("cpu"))


@pytest.mark.parametrize("task", DRAWING, ids=lambda task: task.name)
def test_every_task_draws_with_its_default_request(task: Task, store: ModelStore) -> None:
    *_, last = task.run(task.request(), store)
    assert last.images.dim() == 4


def test_every_task_has_its_name_and_a_checkpoint(store: ModelStore) -> None:
    for name, task in TASKS.items():
        assert task.name == name
        assert task.checkpoint in store.names()


@pytest.mark.parametrize("name", REQUESTS)
def test_a_recipe_makes_its_picture_again_through_file_and_link(name: str, store: ModelStore) -> None:
    task = TASKS[name]
    request = task.request(**REQUESTS[name])
    *_, last = task.run(request, store)
    index = min(3, len(last.images) - 1)
    picture = to_pictures(last.images)[index]
    recipe = recipe_of(task, request, store, index)
    for copy in (read_recipe(to_png(picture, recipe)), from_link(to_link(recipe)), from_json(to_json(recipe))):
        again = replay(copy, store)
        assert again.shape == last.images[index : index + 1].shape
        assert (again - to_tensor(picture)).abs().max() <= 1.01 / 255


def test_a_recipe_names_the_weights(store: ModelStore) -> None:
    recipe = recipe_of(TASKS["gan"], TASKS["gan"].request(seed=8), store, index=2)
    assert (recipe.task, recipe.checkpoint, recipe.seed, recipe.index) == ("gan", "gan-mnist", 8, 2)
    assert recipe.sha256 == store.checkpoint("gan-mnist").sha256()
    assert recipe.inputs == ()


@pytest.mark.parametrize("name", TAKING)
def test_what_went_in_is_named_and_must_be_brought_again(name: str, store: ModelStore) -> None:
    task, x = TASKS[name], to_tensor(PICTURE)
    request = task.request(**{task.pictures[0]: x}, **TAKING[name])
    *_, last = task.run(request, store)
    (picture,) = to_pictures(last.images)
    recipe = recipe_of(task, request, store)
    assert recipe.inputs == (picture_sha256(PICTURE),)
    assert recipe.request == TAKING[name]
    file = to_png(picture, recipe)
    assert b"compositeWithTrainedAlgorithmicMedia" in file
    assert (replay(read_recipe(file), store, [x]) - to_tensor(picture)).abs().max() <= 1.01 / 255
    for others in ((), (x.flip(3),), (x, x)):
        with pytest.raises(InputError, match="bring that picture"):
            request_of(recipe, store, others)


def test_a_recipe_that_names_a_picture_nobody_takes_is_refused(store: ModelStore) -> None:
    recipe = recipe_of(TASKS["gan"], TASKS["gan"].request(), store)
    with pytest.raises(InputError, match="something gan does not know"):
        request_of(replace(recipe, inputs=(picture_sha256(PICTURE),)), store, [to_tensor(PICTURE)])


def test_the_same_picture_has_the_same_name_in_any_file() -> None:
    assert picture_sha256(PICTURE) == picture_sha256(PICTURE.copy())
    assert picture_sha256(Image.new("L", (2, 3), 7)) == picture_sha256(Image.new("RGB", (2, 3), (7, 7, 7)))
    assert picture_sha256(Image.new("RGB", (2, 3))) != picture_sha256(Image.new("RGB", (3, 2)))


def test_pictures_come_out_under_their_names(store: ModelStore) -> None:
    given = [("a.png", PICTURE), ("b/c.jpg", PICTURE.rotate(180))]
    made = list(sample_from("srgan-x4", given, {"pleasing": 0.3}, store))
    assert [name for name, _, _ in made] == ["a.png", "b/c.jpg"]
    for (_, before), (_, after, recipe) in zip(given, made, strict=True):
        assert after.size == (4 * before.width, 4 * before.height)
        assert (replay(recipe, store, [to_tensor(before)]) - to_tensor(after)).abs().max() <= 1.01 / 255


@pytest.mark.parametrize(
    ("name", "picture", "options", "reason"),
    [
        ("gan-mnist", PICTURE, {}, "gan-mnist takes no pictures"),
        ("digit-classifier", PICTURE, {}, "draws no pictures"),
        ("sr-x4", PICTURE, {"pleasing": 1}, "sr-x4 does not know one of the options pleasing"),
        ("srgan-x4", PICTURE, {"pleasing": 2}, "a.png does not fit: pleasing must be a number from 0 to 1"),
        (
            "sr-x4",
            Image.new("RGB", (513, 512)),
            {},
            "a.png does not fit: A picture to enlarge may have 512×512 pixels in all",
        ),
    ],
)
def test_pictures_that_cannot_be_worked_on(
    name: str, picture: Image.Image, options: dict[str, Any], reason: str, store: ModelStore
) -> None:
    with pytest.raises(InputError, match=reason):
        next(sample_from(name, [("a.png", picture)], options, store))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sha256": "0" * 64}, "other weights of gan-mnist"),
        ({"task": "vae"}, "task 'vae'"),
        ({"index": 25}, "picture 25 of a smaller set"),
        ({"request": {"count": 10**6}}, "count must be a whole number"),
        ({"request": {"colour": "red"}}, "something gan does not know"),
        ({"request": {"digit": [1]}}, "digit must be a whole number"),
    ],
)
def test_a_recipe_that_cannot_be_repeated_is_refused(changes: dict[str, Any], reason: str, store: ModelStore) -> None:
    recipe = recipe_of(TASKS["gan"], TASKS["gan"].request(), store)
    with pytest.raises(InputError, match=reason):
        replay(replace(recipe, **changes), store)


@pytest.mark.parametrize(
    "changes", [{"seed": 3}, {"checkpoint": "gan-mnist"}, {"request": {"start": 4, "checkpoint": "vae-celeba"}}]
)
def test_a_recipe_that_contradicts_itself_is_refused(changes: dict[str, Any], store: ModelStore) -> None:
    task = TASKS["vae-mnist-way"]
    recipe = recipe_of(task, task.request(start=4, frames=2), store)
    with pytest.raises(InputError, match="contradicts itself"):
        replay(replace(recipe, **changes), store)


@pytest.mark.parametrize(
    ("name", "options"), [("gan-mnist", {"truncation": 0.9}), ("ddpm-mnist", {"solver": "ddpm", "steps": 2})]
)
def test_samples_are_the_same_in_batches_of_any_size(
    name: str, options: dict[str, Any], store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = list(sample(name, 23, SEEDS - 4, options, store))
    monkeypatch.setattr(registry, "SAMPLE_BATCH", 10)
    apart = list(sample(name, 23, SEEDS - 4, options, store))
    assert len(together) == 23
    for (one, _), (other, recipe) in zip(together, apart, strict=True):
        assert (to_tensor(one) - to_tensor(other)).abs().max() <= 2.01 / 255  # one level
        assert (replay(recipe, store) - to_tensor(other)).abs().max() <= 1.01 / 255
    assert apart[22][1].seed == 16  # the third batch begins at SEEDS - 4 + 20
    assert apart[22][1].index == 2


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        (
            "digit-classifier",
            {},
            "draws no pictures; choose one of .*gan-mnist-mlp, sd-mini, .*vae-celeba, vae-mnist, vae-mnist-2d.$",
        ),
        ("sr-x4", {}, "sr-x4 works on pictures: name a file or a folder with --input"),
        ("../gan-mnist", {}, "draws no pictures"),
        ("gan-mnist", {"colour": "red", "digit": 3}, "does not know one of the options colour, digit"),
        ("gan-mnist", {"digit": 11}, "digit must be a whole number from 0 to 9"),
        ("ddpm-mnist", {"wanted": "Male"}, "ddpm-mnist does not know one of the options wanted"),
        ("ddpm-celeba", {"wanted": "Nice"}, "each of wanted must be one of Smiling, "),
    ],
)
def test_what_cannot_be_sampled_is_refused(name: str, options: dict[str, Any], reason: str, store: ModelStore) -> None:
    with pytest.raises(InputError, match=reason):
        next(sample(name, 1, 0, options, store))


def test_what_was_published_is_verified(store: ModelStore) -> None:
    for name in store.names():
        verify(store, name)


@pytest.mark.parametrize("name", ["digit-classifier", "gan-mnist", "gan-mnist-discriminator"])
def test_other_outputs_than_the_golden_ones_are_found(name: str, own_store: ModelStore) -> None:
    checkpoint = own_store.checkpoint(name)
    golden = load_file(checkpoint.folder / GOLDEN)
    golden["output"] = golden["output"].flip(-1)
    checkpoint.add(GOLDEN, save(golden))
    with pytest.raises(CheckpointError, match=f"{name} no longer computes"):
        verify(own_store, name)


def test_every_golden_picture_is_made_again(own_store: ModelStore) -> None:
    checkpoint = own_store.checkpoint("gan-mnist")
    for task in DRAWING:
        request = task.request()
        *_, last = task.run(request, own_store)
        recipe = recipe_of(task, request, own_store)
        checkpoint.add(f"golden/{task.name}.png", to_png(to_pictures(last.images)[0], recipe))
        verify(own_store, "gan-mnist")
    checkpoint.add("golden/gan-walk.png", to_png(to_pictures(last.images)[-1], recipe))
    with pytest.raises(CheckpointError, match="gan-mnist no longer computes"):
        verify(own_store, "gan-mnist")
