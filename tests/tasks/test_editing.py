"""Editing by words: nothing outside the mask changes, a mask is what it is said to be, strength is how much changes."""

import gc
import math
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from serving import ROOT
from torch import Tensor

from imagegen.devices import SEEDS
from imagegen.errors import InputError
from imagegen.images import to_pictures, to_tensor
from imagegen.models.diffusion import SOLVERS, betas, q_sample
from imagegen.models.text import SCHEDULE
from imagegen.recipes import picture_sha256, read_recipe, to_png
from imagegen.store import ModelStore
from imagegen.tasks import editing, text_to_image
from imagegen.tasks.editing import EditRequest, EditStep, InpaintRequest, fitted
from imagegen.tasks.registry import TASKS, recipe_of, replay, sample_from

SAME = 1 / 255
RNG = torch.Generator().manual_seed(3)
PICTURE = to_tensor(to_pictures(torch.rand(1, 3, 64, 64, generator=RNG) * 2 - 1)[0])
NO_WHOLE = [10.5, True, "10", 1e9, math.nan, math.inf, 10**400, {"a": 1}, [1]]


def mask(*, height: int = 64, width: int = 64, box: tuple[int, int, int, int] = (20, 43, 8, 50)) -> Tensor:
    """White from row and column to row and column, black elsewhere."""
    drawn = -torch.ones(1, 3, height, width)
    top, bottom, left, right = box
    drawn[..., top:bottom, left:right] = 1
    return drawn


FULL = mask(box=(0, 64, 0, 64))


def edit(store: ModelStore, drawn: Tensor | None = None, picture: Tensor = PICTURE, **values: Any) -> EditStep:
    *_, last = editing.run(request(drawn, picture, **values), store)
    return last


def request(drawn: Tensor | None = None, picture: Tensor = PICTURE, **values: Any) -> EditRequest:
    values = {"steps": 3, **values}
    return EditRequest(picture, **values) if drawn is None else InpaintRequest(picture, mask=drawn, **values)


def levels(pictures: Tensor) -> Any:
    return np.stack([np.asarray(picture) for picture in to_pictures(pictures)])


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("strength", [0, 0.6, 1])
def test_every_pixel_outside_the_mask_stays_as_it_is(solver: str, strength: float, store: ModelStore) -> None:
    last = edit(store, mask(), count=2, solver=solver, strength=strength)
    inside = np.zeros((64, 64), bool)
    inside[20:43, 8:50] = True
    after, before = levels(last.images), levels(PICTURE)
    assert (after == before)[:, ~inside].all()
    assert (after != before)[:, inside].mean() > 0.5


def test_at_each_step_the_network_is_shown_the_picture_outside(store: ModelStore) -> None:
    noise = torch.randn(16, 8, 8, generator=torch.Generator().manual_seed(7))
    drawn, alphas_cumprod = mask(box=(0, 32, 0, 64)), (1 - betas(SCHEDULE)).cumprod(0).float()
    latents = edit(store, strength=0).x_t
    steps = list(editing.run(request(drawn, seed=7, steps=5, strength=0.8), store))
    assert [(step.index, step.total, step.timestep) for step in steps] == [
        (1, 4, 799), (2, 4, 599), (3, 4, 399), (4, 4, 199),
    ]  # fmt: skip
    for step in steps:
        noised = q_sample(latents, noise[None], alphas_cumprod[[step.timestep]])
        assert apart(step.x_t[..., 4:, :], noised[..., 4:, :]) < 1e-2
        assert torch.equal(step.pred_x0[..., 4:, :], latents[..., 4:, :])
        assert torch.equal(step.pred_x0[..., :4, :], step.seen[..., :4, :])
        off = (step.seen - latents).square()
        assert step.changed[0, 0] == pytest.approx(off[..., :4, :].mean().sqrt().item(), rel=1e-4)
        assert step.changed[0, 1] == pytest.approx(off[..., 4:, :].mean().sqrt().item(), rel=1e-4)
        assert step.norms.shape == (1, 3)
        assert step.decode(step.seen).shape == step.images.shape == (1, 3, 64, 64)
        assert not step.images.requires_grad


def test_with_everything_masked_or_full_strength_it_is_text_to_image(store: ModelStore) -> None:
    asked: dict[str, Any] = {"prompt": "a sun", "seed": 4, "count": 2, "steps": 3}
    *_, wanted = text_to_image.run(text_to_image.TextToImageRequest(**asked), store)
    assert apart(edit(store, FULL, **asked).images, wanted.images) <= SAME
    assert apart(edit(store, strength=1, **asked).images, wanted.images) <= SAME
    assert apart(edit(store, strength=0.6, **asked).images, wanted.images) > 10 * SAME


def test_strength_0_is_the_autoencoders_copy_and_no_word_counts(store: ModelStore) -> None:
    vae = store.get("sd-mini").vae
    with torch.no_grad():
        copy = vae.decode(vae.encode(PICTURE).latent_dist.mean).sample.clamp(-1, 1)
    steps = [list(editing.run(request(prompt=prompt, strength=0), store)) for prompt in ("a sun", "太阳")]
    for (only,) in steps:
        assert (only.index, only.total) == (1, 1)
        assert apart(only.images, copy) <= 1e-5


def test_the_stronger_the_farther_from_the_picture() -> None:
    store = ModelStore(ROOT / "checkpoints", torch.device("cpu"))
    *_, made = text_to_image.run(text_to_image.TextToImageRequest("a woman with brown hair", seed=22), store)
    face = made.images
    off = [
        (edit(store, picture=face, prompt="an older man", steps=10, strength=strength).images - face).square().mean()
        for strength in (0, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    assert off == sorted(off)
    assert off[-1] > 10 * off[0]


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "unipc"])
@pytest.mark.parametrize("drawn", [None, mask()], ids=["whole", "part"])
def test_a_seed_makes_the_same_picture_in_any_batch(solver: str, drawn: Tensor | None, store: ModelStore) -> None:
    together = edit(store, drawn, count=3, seed=SEEDS - 2, solver=solver, strength=0.7).images
    for i in range(3):
        alone = edit(store, drawn, seed=(SEEDS - 2 + i) % SEEDS, solver=solver, strength=0.7).images
        assert apart(alone[0], together[i]) <= SAME
    assert apart(together[0], together[1]) > 5 * SAME


def test_nothing_is_computed_before_it_is_asked_for_or_after_the_stop(store: ModelStore) -> None:
    batches: list[int] = []
    unet = store.get("sd-mini").unet
    hook = unet.register_forward_hook(lambda _, __, output: batches.append(len(output[0])))
    steps = editing.run(request(mask(), steps=50), store)
    assert batches == []
    assert [step.index for step in islice(steps, 3)] == [1, 2, 3]
    del steps
    gc.collect()
    assert batches == [2] * 3
    hook.remove()


# Masks and pictures of all kinds


def test_row_19_an_empty_mask_is_refused() -> None:
    for drawn in (-FULL, mask(box=(3, 3, 0, 9)), None, 7, torch.zeros(64, 64)):
        with pytest.raises(InputError, match=r"^The mask is empty: paint over the part that is to change\.$"):
            InpaintRequest(PICTURE, mask=drawn)  # type: ignore[arg-type]


def test_row_19_a_mask_of_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(InputError, match="as large as the picture, 64×64 pixels; it has 50×40"):
        InpaintRequest(PICTURE, mask=mask(height=40, width=50))


def test_a_mask_is_cut_and_brought_to_size_as_its_picture_is(store: ModelStore) -> None:
    wide = torch.rand(1, 3, 100, 180, generator=RNG) * 2 - 1
    drawn = mask(height=100, width=180, box=(50, 100, 0, 90))
    inside = InpaintRequest(wide, mask=drawn).inside
    assert torch.equal(inside, (mask(box=(32, 64, 0, 32))[:, :1] > 0).float())
    after = edit(store, drawn, wide).images
    outside = inside[0, 0].numpy() == 0
    assert (levels(after) == levels(fitted(wide)))[:, outside].all()
    thin = mask(height=1000, width=1000, box=(500, 501, 0, 1000))
    assert InpaintRequest(torch.zeros(1, 3, 1000, 1000), mask=thin).inside.sum() == 64, "no line is lost"
    with pytest.raises(InputError, match="mask is empty"):
        InpaintRequest(wide, mask=mask(height=100, width=180, box=(0, 100, 0, 30)))  # in what is cut off


@pytest.mark.parametrize("size", [(1, 1), (1, 4000), (28, 28), (64, 64), (300, 200)])
def test_any_picture_becomes_one_of_64_by_64(size: tuple[int, int], store: ModelStore) -> None:
    for channels in (1, 3):
        picture = torch.rand(1, channels, *size, generator=RNG) * 2 - 1
        assert edit(store, picture=picture, steps=1).images.shape == (1, 3, 64, 64)
        drawn = torch.ones(1, 1, *size)
        assert edit(store, drawn, picture, steps=1).images.shape == (1, 3, 64, 64)
    assert torch.equal(fitted(PICTURE), PICTURE)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("prompt", [None, 7, "x" * 1001]),
        ("negative_prompt", [None, ["a"]]),
        ("strength", [-0.1, 1.1, math.nan, "1", True, None]),
        ("count", [*NO_WHOLE, 0, 65, None]),
        ("seed", [*NO_WHOLE[:3], -1, 2**32, None]),
        ("solver", ["heun", "", 7, None]),
        ("steps", [*NO_WHOLE, 0, 101, None]),
        ("guidance_scale", [-0.1, 12.1, math.nan, "1.5", None]),
    ],
)
def test_what_cannot_be_painted_is_refused_by_name(field: str, values: list[Any]) -> None:
    for value in values:
        for drawn in (None, mask()):
            with pytest.raises(InputError, match=f"^{field} must be"):
                request(drawn, **{field: value})


@pytest.mark.parametrize("nothing", [None, 7, "x", torch.zeros(64, 64), torch.zeros(2, 3, 64, 64)])
def test_no_picture_is_refused(nothing: Any) -> None:
    with pytest.raises(InputError, match="There is no picture yet"):
        EditRequest(nothing)


# Recipes and the command line


@pytest.mark.parametrize("drawn", [None, mask()], ids=["edit-image", "inpaint"])
def test_a_recipe_names_what_went_in_and_makes_its_picture_again(drawn: Tensor | None, store: ModelStore) -> None:
    task = TASKS["edit-image" if drawn is None else "inpaint"]
    asked = request(drawn, prompt="戴眼镜的人", seed=5, strength=0.7)
    (picture,) = to_pictures(edit(store, drawn, prompt="戴眼镜的人", seed=5, strength=0.7).images)
    recipe = read_recipe(to_png(picture, recipe_of(task, asked, store)))
    inputs = [PICTURE] if drawn is None else [PICTURE, drawn]
    assert recipe.inputs == tuple(picture_sha256(to_pictures(each)[0]) for each in inputs)
    assert apart(replay(recipe, store, inputs), to_tensor(picture)) <= 1.01 * SAME
    with pytest.raises(InputError, match="bring that picture"):
        replay(recipe, store, [PICTURE.flip(3), *inputs[1:]])


def test_the_command_line_edits_what_it_is_given_and_inpaints_with_a_mask(store: ModelStore, tmp_path: Path) -> None:
    given = [("a.png", to_pictures(PICTURE)[0])]
    options = {"prompt": "a sun", "steps": 2}
    ((_, edited, recipe),) = sample_from("sd-mini", given, options, store, seed=9)
    assert (recipe.task, recipe.seed) == ("edit-image", 9)
    assert apart(to_tensor(edited), edit(store, seed=9, **options).images) <= 1.01 * SAME
    ((_, inpainted, recipe),) = sample_from("sd-mini", given, {**options, "mask": mask()}, store)
    assert recipe.task == "inpaint"
    assert (levels(to_tensor(inpainted)) == levels(PICTURE))[0, :20].all()
