"""Tiny real pipelines: as diffusers alone paints, the same in any batch, stopped at once, checked, never black."""

import copy
import json
import shutil
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up_pipelines import add_sd, add_sdxl, sd
from torch import Tensor

from imagegen.devices import SEEDS, generators, picture_noise
from imagegen.engines.editing import brought, taken_back
from imagegen.engines.engine import AUTO, Asked, Painted
from imagegen.engines.folders import can_edit
from imagegen.engines.pipelines import AT_ONCE, Pipeline
from imagegen.engines.running import SOLVERS
from imagegen.errors import CheckpointError, ImageGenError

CPU = torch.device("cpu")
SAME = 1 / 255
ASKED = Asked("a smiling woman", "", (0,), "ddim", 3, 4.0, AUTO)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_sd(tmp_path_factory.mktemp("pipelines") / "sd")


@pytest.fixture(scope="module")
def engine(folder: Path) -> Pipeline:
    return Pipeline(folder, CPU, "sd")


@pytest.fixture(scope="module")
def xl(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return Pipeline(add_sdxl(tmp_path_factory.mktemp("pipelines") / "xl"), CPU, "xl")


def paint(engine: Pipeline, **values: Any) -> Tensor:
    *_, last = engine.paint(replace(ASKED, **values))
    return last.images


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@contextmanager
def counted(engine: Pipeline) -> Iterator[list[int]]:
    """Sizes of the batches that the U-Net looks at meanwhile."""
    batches: list[int] = []
    hook = engine.load().unet.register_forward_hook(lambda _, __, output: batches.append(len(output[0])))
    yield batches
    hook.remove()


def runs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "pipeline"]


def test_it_paints_what_the_pipeline_alone_paints(folder: Path) -> None:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    pipe: Any = StableDiffusionPipeline.from_pretrained(folder)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    pipe.set_progress_bar_config(disable=True)
    theirs = pipe(
        "a smiling woman",
        negative_prompt="a sun",
        latents=torch.randn(1, 4, 32, 32, generator=generators(7, 1)[0]),
        num_inference_steps=3,
        guidance_scale=5,
        output_type="pt",
    ).images
    ours = paint(Pipeline(folder, CPU, "sd"), negative_prompt="a sun", seeds=(7,), guidance_scale=5.0)
    assert apart(ours, 2 * theirs - 1) <= SAME


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", ["sd", "xl"])
def test_a_seed_makes_the_same_picture_in_any_batch(kind: str, solver: str, engine: Pipeline, xl: Pipeline) -> None:
    chosen = {"sd": engine, "xl": xl}[kind]
    seeds = (SEEDS - 1, 0, 5)
    together = paint(chosen, seeds=seeds, solver=solver)
    for seed, picture in zip(seeds, together, strict=True):
        assert apart(paint(chosen, seeds=(seed,), solver=solver)[0], picture) <= SAME
    assert apart(together[0], together[1]) > 10 * SAME


def test_every_argument_counts_and_what_is_asked_for_is_measured(engine: Pipeline) -> None:
    changes: list[dict[str, Any]] = [
        {}, {"prompt": "a sun"}, {"negative_prompt": "red"}, {"seeds": (1,)}, {"solver": "euler"}, {"steps": 4},
        {"guidance_scale": 1.0},
    ]  # fmt: skip
    pictures = [paint(engine, **values) for values in changes]
    assert all(apart(a, b) > 1e-4 for i, a in enumerate(pictures) for b in pictures[:i])
    assert paint(engine, size="32x32").shape == (1, 3, 32, 32)
    assert engine.sizes == ("64x64", "48x48", "32x32")
    assert engine.heeds == {"seed", "steps", "negative_prompt", "guidance_scale", "solver", "size", "picture"}


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
def test_each_step_of_stable_diffusion_can_be_watched(guidance_scale: float, engine: Pipeline) -> None:
    asked = replace(ASKED, seeds=(4, 5), guidance_scale=guidance_scale)
    steps = list(engine.paint(asked))
    assert [(step.index, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]
    assert [len(step.images) for step in steps] == [1, 1, 2]
    for step in steps:
        assert step.attention is not None
        assert step.attention.shape == (1, 77, 32, 32)
        assert torch.allclose(step.attention.sum(dim=1), torch.ones(1, 32, 32), atol=1e-4)
        assert not step.images.requires_grad
    assert apart(seen(steps[-1]), steps[-1].images[:1]) <= SAME
    *_, other = engine.paint(replace(asked, prompt="a sun a sun"))
    assert other.attention is not None
    assert apart(other.attention, steps[-1].attention) > 1e-3  # type: ignore[arg-type]
    assert torch.is_grad_enabled()


def seen(step: Painted) -> Tensor:
    """What the first picture is taken to be."""
    assert step.pred_x0 is not None
    assert step.decode is not None
    return step.decode(step.pred_x0)


def test_larger_pipelines_show_steps_without_attention(xl: Pipeline) -> None:
    steps = list(xl.paint(ASKED))
    assert all(step.attention is None and len(step.images) == 1 for step in steps)
    assert apart(seen(steps[-1]), steps[-1].images) <= SAME
    assert xl.tokenizer() is None


def test_many_are_painted_a_few_at_a_time(engine: Pipeline) -> None:
    seeds = tuple(range(AT_ONCE + 2))
    with counted(engine) as batches:
        steps = list(engine.paint(replace(ASKED, seeds=seeds)))
    assert batches == [2 * AT_ONCE] * 3 + [4] * 3
    assert [(step.index, step.total) for step in steps] == [(i, 6) for i in range(1, 7)]
    assert steps[-1].images.shape == (AT_ONCE + 2, 3, 64, 64)


def test_row_25_nothing_is_computed_before_it_is_asked_for_or_after_the_stop(engine: Pipeline) -> None:
    with counted(engine) as batches:
        steps = engine.paint(replace(ASKED, steps=50))
        assert batches == []
        assert [step.index for step in islice(steps, 3)] == [1, 2, 3]
        assert batches == [2] * 3
        assert len(runs()) == 1
        steps.close()  # type: ignore[attr-defined]
        assert batches == [2] * 3
    assert not runs()
    assert paint(engine).isfinite().all()


def test_two_who_ask_at_once_leave_nothing_behind(engine: Pipeline) -> None:
    pipe = engine.load()
    scheduler = copy.deepcopy(dict(pipe.scheduler.__dict__))
    before = {key: tensor.clone() for key, tensor in pipe.unet.state_dict().items()}
    everyone = torch.default_generator.get_state()
    alone = paint(engine, seeds=(9,), solver="euler")
    one = engine.paint(replace(ASKED, seeds=(9,), solver="euler"))
    other = engine.paint(replace(ASKED, seeds=(9,), solver="ddpm"))
    *_, (last, _) = zip(one, other, strict=True)
    assert torch.equal(last.images, alone)
    assert torch.equal(torch.default_generator.get_state(), everyone)
    assert str(pipe.scheduler.__dict__) == str(scheduler)
    assert all(torch.equal(tensor, before[key]) for key, tensor in pipe.unet.state_dict().items())
    assert not runs()


def overflowing(folder: Path, factor: float) -> Path:
    """Weights with which the U-Net's first layer leaves the range of fp16, or of fp32 too."""
    pipe = sd()
    pipe.unet.conv_in.weight.data.mul_(factor)
    pipe.save_pretrained(folder)
    return folder


def test_what_overflows_in_half_precision_is_painted_once_more_in_full(tmp_path: Path) -> None:
    folder = overflowing(tmp_path / "large", 1e6)
    engine = Pipeline(folder, CPU, "large", torch.float16)
    loaded = []
    engine._loaded = lambda load=engine._loaded: loaded.append(engine.dtype) or load()  # type: ignore[method-assign]
    picture = paint(engine)
    assert loaded == [torch.float16, torch.float32]
    assert apart(picture, paint(Pipeline(folder, CPU, "large"))) <= SAME
    paint(engine)
    assert loaded == [torch.float16, torch.float32]


def test_half_precision_that_does_not_overflow_stays(folder: Path, engine: Pipeline) -> None:
    half = Pipeline(folder, CPU, "sd", torch.float16)
    picture = paint(half)
    assert half.dtype == torch.float16
    assert apart(picture, paint(engine)) <= 30 * SAME


def test_row_22_what_is_not_finite_in_full_precision_is_no_picture(tmp_path: Path) -> None:
    engine = Pipeline(overflowing(tmp_path / "broken", torch.nan), CPU, "broken")
    with counted(engine) as batches, pytest.raises(ImageGenError, match="not finite numbers"):
        paint(engine)
    assert len(batches) == 1
    assert not runs()


def test_row_24_without_memory_half_as_many_are_tried_once(engine: Pipeline) -> None:
    batches: list[int] = []
    room = 4

    def fill(_: Any, inputs: Any) -> None:
        batches.append(len(inputs[0]))
        if batches[-1] > room:
            raise torch.OutOfMemoryError("no room")

    hook = engine.load().unet.register_forward_pre_hook(fill)
    try:
        assert len(paint(engine, seeds=(0, 1, 2, 3), steps=1)) == 4
        assert batches == [8, 4, 4]
        room, batches[:] = 2, []
        with pytest.raises(torch.OutOfMemoryError):
            paint(engine, seeds=(0, 1, 2, 3), steps=1)
        assert batches == [8, 4]
    finally:
        hook.remove()
    assert not runs()


def test_what_a_batch_without_memory_held_is_free_before_the_next(
    engine: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Any] = []
    found: list[bool] = []

    def fill(_: Any, inputs: Any) -> None:
        if not held:
            tensor = inputs[0] + 1
            held.append(weakref.ref(tensor))
            raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: found.append(held[0]() is not None))
    hook = engine.load().unet.register_forward_pre_hook(fill)
    try:
        paint(engine, seeds=(0, 1), steps=1)
    finally:
        hook.remove()
    assert found == [False]


def test_half_precision_that_overflowed_is_free_before_the_full_one_is_loaded(tmp_path: Path) -> None:
    engine = Pipeline(overflowing(tmp_path / "large", 1e6), CPU, "large", torch.float16)
    half = weakref.ref(engine.load().unet)
    found = []
    engine._loaded = lambda load=engine._loaded: found.append(half()) or load()  # type: ignore[method-assign]
    paint(engine)
    assert found == [None]


def fail_once(vae: Any) -> None:
    """The next decode finds no memory."""

    def fill(*_: Any) -> None:
        hook.remove()
        raise torch.OutOfMemoryError("no room")

    hook = vae.decoder.register_forward_pre_hook(fill)


@pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning")  # by the pipeline itself
def test_a_decode_that_fails_leaves_the_vae_in_its_precision(xl: Pipeline) -> None:
    half = Pipeline(xl.folder, CPU, "xl", torch.float16)
    vae = half.load().vae
    step = next(half.paint(ASKED))
    fail_once(vae)
    with pytest.raises(torch.OutOfMemoryError):
        seen(step)
    assert {parameter.dtype for parameter in vae.parameters()} == {torch.float16}
    fail_once(vae)
    pictures = paint(half, seeds=(0, 1))
    fail_once(vae)
    with pytest.raises(torch.OutOfMemoryError):
        paint(half)
    assert apart(paint(half)[0], pictures[0]) <= SAME


def test_a_picture_that_the_safety_checker_refuses_is_named_and_never_shown(tmp_path: Path) -> None:
    engine = Pipeline(add_sd(tmp_path / "careful", checker=True), CPU, "careful")
    steps = engine.paint(replace(ASKED, seeds=(0, 1)))
    shown = []
    with pytest.raises(ImageGenError, match="safety checker of careful refused picture 1, 2 of these"):
        shown.extend(step.images for step in steps)
    assert len(shown) == 2
    assert all(not images.any() for images in shown)  # grey
    assert "safety_checker/model.safetensors" in engine.files


# From a picture


def edit(engine: Pipeline, picture: Tensor, **values: Any) -> list[Painted]:
    return list(engine.paint(replace(ASKED, **{"seeds": (3, 4), "steps": 4, "picture": picture, **values})))


@pytest.mark.parametrize("kind", ["sd", "xl"])
def test_a_picture_is_painted_over_from_where_the_strength_says(kind: str, engine: Pipeline, xl: Pipeline) -> None:
    chosen = {"sd": engine, "xl": xl}[kind]
    picture = picture_noise(1, 1, 3, 64, 48).clamp(-1, 1)
    with counted(chosen) as batches:
        last = edit(chosen, picture, strength=0.5)[-1]
    assert batches == [4] * 2
    assert (last.index, last.total, last.images.shape) == (2, 2, (2, 3, 64, 48))
    alone = edit(chosen, picture, strength=0.5, seeds=(4,))[-1]
    assert apart(alone.images[0], last.images[1]) <= SAME
    assert apart(edit(chosen, picture.flip(3), strength=0.5)[-1].images, last.images) > 10 * SAME
    assert "picture" in chosen.heeds


def test_it_is_what_the_pipeline_for_pictures_alone_paints(folder: Path) -> None:
    from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline

    pipe: Any = StableDiffusionImg2ImgPipeline.from_pretrained(folder)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
    pipe.set_progress_bar_config(disable=True)
    picture = picture_noise(1, 1, 3, 64, 64).clamp(-1, 1)
    theirs = pipe(
        "a smiling woman",
        image=(picture + 1) / 2,
        strength=0.5,
        num_inference_steps=4,
        guidance_scale=4.0,
        generator=generators(3, 1),
        output_type="pt",
    ).images
    assert (
        apart(edit(Pipeline(folder, CPU, "sd"), picture, strength=0.5, seeds=(3,))[-1].images, 2 * theirs - 1) <= SAME
    )


@pytest.mark.parametrize("strength", [0.0, 0.2])
def test_with_no_step_to_walk_it_is_the_picture_itself(strength: float, engine: Pipeline) -> None:
    picture = picture_noise(1, 1, 3, 33, 20)
    with counted(engine) as batches:
        (only,) = edit(engine, picture, strength=strength)
    assert not batches
    assert (only.index, only.total) == (1, 1)
    assert torch.equal(only.images, picture.expand(2, -1, -1, -1))


@pytest.mark.parametrize("size", [(64, 64), (200, 131), (31, 50), (1, 1), (1, 400)])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_outside_the_mask_nothing_changes_whatever_the_size(
    strength: float, size: tuple[int, int], engine: Pipeline
) -> None:
    height, width = size
    picture = picture_noise(1, 1, 3, height, width).clamp(-1, 1)
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : 3 * height // 4 + 1, : max(1, width // 3)] = 1
    steps = edit(engine, picture, mask=mask, strength=strength)
    result, inside = steps[-1].images, mask.bool().expand(2, 3, -1, -1)
    assert result.shape == (2, 3, height, width)
    assert torch.equal(result[~inside], picture.expand(2, -1, -1, -1)[~inside])
    assert apart(result[inside], picture.expand(2, -1, -1, -1)[inside]) > 10 * SAME
    assert result.abs().max() <= 1
    assert not result.requires_grad
    assert all(len(step.images) for step in steps)
    assert all((step.attention is not None) == (height == width) for step in steps)


def test_what_was_taken_up_to_size_is_where_it_was() -> None:
    """A picture that a pipeline would hand back as it got it comes back, near enough, at its own size."""
    small = picture_noise(1, 1, 3, 5, 7).clamp(-1, 1)
    picture = torch.nn.functional.interpolate(small, (90, 130), mode="bicubic").clamp(-1, 1)
    given = brought(picture, (picture[:, :1] > 0).float(), side=64, step=8)
    assert given["image"].shape == (1, 3, 48, 64)
    assert given["mask_image"].shape == (1, 1, 48, 64)
    assert (given["height"], given["width"]) == (48, 64)
    back = taken_back(2 * given["image"] - 1, picture, None)
    assert (back - picture).abs().mean() < 0.05
    assert (back.flip(3) - picture).abs().mean() > 0.3


def test_a_pipeline_that_cannot_edit_does_not_say_so(folder: Path) -> None:
    assert can_edit("StableDiffusionPipeline")
    assert not can_edit("LattePipeline")
    assert not can_edit("SanaPipeline")


# What cannot be opened


def test_the_hash_names_the_weights(folder: Path, tmp_path: Path, engine: Pipeline) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert Pipeline(copied, CPU, "other").sha256() == engine.sha256()
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert Pipeline(copied, CPU, "other").sha256() != engine.sha256()


def test_row_21_a_pickle_is_never_read(tmp_path: Path) -> None:
    folder = add_sd(tmp_path / "pickled", safe_serialization=False)
    with pytest.raises(CheckpointError, match=r"pickled holds .* as a pickle only"):
        Pipeline(folder, CPU, "pickled")


def test_weights_in_half_precision_are_found_where_there_are_no_others(tmp_path: Path) -> None:
    folder = add_sd(tmp_path / "half", variant="fp16")
    engine = Pipeline(folder, CPU, "half")
    assert engine.variant == "fp16"
    assert paint(engine).isfinite().all()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (None, "is no pipeline of diffusers"),
        ({"_class_name": ["pipeline", "Own"]}, "is no pipeline of diffusers"),
        ({"_class_name": "DanceDiffusionPipeline"}, "is a DanceDiffusionPipeline, which paints nothing"),
        ({"_class_name": "KandinskyPipeline"}, "tells nothing of its steps"),
        ({"unet": ["my_unet", "Own"]}, "brings code of its own for unet"),
    ],
    ids=["nothing", "own class", "audio", "silent", "own part"],
)
def test_a_folder_that_paints_nothing_is_refused(
    changes: dict[str, Any] | None, words: str, folder: Path, tmp_path: Path
) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "copy"))
    index = copied / "model_index.json"
    index.write_text("{" if changes is None else json.dumps(json.loads(index.read_text()) | changes))
    with pytest.raises(CheckpointError, match=words):
        Pipeline(copied, CPU, "copy")


def test_a_unet_that_needs_a_picture_is_refused(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "copy"))
    config = copied / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"in_channels": 9}))
    with pytest.raises(CheckpointError, match="needs a picture beside every prompt: its U-Net takes 9 channels"):
        Pipeline(copied, CPU, "copy")


def test_a_pipeline_without_a_unet_is_not_refused_for_it(tmp_path: Path) -> None:
    index = {"_class_name": "StableDiffusion3Pipeline", "transformer": ["diffusers", "SD3Transformer2DModel"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    for part, channels in (("transformer", "in_channels"), ("vae", "latent_channels")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text(json.dumps({channels: 16}))
    engine = Pipeline(tmp_path, CPU, "sd3")
    assert engine.heeds == {"seed", "steps", "negative_prompt", "guidance_scale"}


def test_row_20_damaged_weights_are_named(folder: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(CheckpointError, match="copy: the weights do not fit") as caught:
        paint(Pipeline(copied, CPU, "copy"))
    assert "unet" in str(caught.value)
    assert str(tmp_path) not in str(caught.value), "a visitor need not know where it is"
