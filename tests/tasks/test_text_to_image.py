"""Words to pictures: as the plain pipeline paints, the same in any batch, stopped at once, and every prompt is read."""

import copy
import gc
import json
import math
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from imagegen.checkpoints import Checkpoint
from imagegen.devices import SEEDS, picture_noise
from imagegen.errors import ImageGenError, InputError
from imagegen.images import to_pictures
from imagegen.models.diffusion import SOLVERS, q_sample
from imagegen.store import ModelStore
from imagegen.tasks import text_to_image as task
from imagegen.tasks.text_to_image import CHECKPOINT, TextToImageRequest, TextToImageStep, read

SAME = 1 / 255
NO_WHOLE = [10.5, True, "10", 1e9, math.nan, math.inf, 10**400, {"a": 1}, [1]]


def draw(store: ModelStore, **values: Any) -> TextToImageStep:
    *_, last = task.run(TextToImageRequest(**({"steps": 3} | values)), store)
    return last


def apart(a: Tensor, b: Tensor) -> float:
    return (a - b).abs().max().item()


@contextmanager
def counted(store: ModelStore) -> Iterator[list[int]]:
    """Sizes of the batches that the U-Net looks at meanwhile."""
    batches: list[int] = []
    hook = store.get(CHECKPOINT).unet.register_forward_hook(lambda _, __, output: batches.append(len(output[0])))
    yield batches
    hook.remove()


@pytest.mark.parametrize("guidance_scale", [1.0, 1.5, 7.5])
@pytest.mark.parametrize("negative_prompt", ["", "a sun, 太阳"])
def test_it_paints_what_the_plain_pipeline_paints(
    guidance_scale: float, negative_prompt: str, store: ModelStore
) -> None:
    asked: dict[str, Any] = {"prompt": "a smiling 女士", "negative_prompt": negative_prompt}
    ours = draw(store, **asked, count=2, seed=5, steps=4, guidance_scale=guidance_scale).images
    pipeline = copy.copy(store.get(CHECKPOINT))
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    theirs = pipeline(
        **{name: [text, text] for name, text in asked.items()},
        latents=picture_noise(5, 2, 16, 8, 8),
        num_inference_steps=4,
        guidance_scale=guidance_scale,
        output_type="pt",
    ).images
    assert apart(ours, 2 * theirs - 1) <= SAME
    assert apart(ours[0], ours[1]) > 10 * SAME


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "unipc"])
@pytest.mark.parametrize("seed", [0, SEEDS - 2])
def test_a_seed_makes_the_same_picture_in_any_batch(solver: str, seed: int, store: ModelStore) -> None:
    together = draw(store, count=3, seed=seed, solver=solver).images
    for i in range(3):
        single = draw(store, seed=(seed + i) % SEEDS, solver=solver).images
        assert apart(single[0], together[i]) <= SAME
    assert apart(together[0], together[1]) > 10 * SAME


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_step_shows_what_the_network_sees(solver: str, store: ModelStore) -> None:
    steps = list(task.run(TextToImageRequest(count=2, seed=4, solver=solver, steps=3), store))
    assert [(step.index, step.total, step.timestep) for step in steps] == [(1, 3, 999), (2, 3, 666), (3, 3, 332)]
    assert apart(steps[0].x_t, picture_noise(4, 2, 16, 8, 8)) <= 1e-4
    alphas_cumprod = store.get(CHECKPOINT).scheduler.alphas_cumprod
    for step in steps:
        seen = step.guided
        assert apart(q_sample(seen.pred_x0, seen.noise_pred, alphas_cumprod[[step.timestep] * 2]), step.x_t) <= 1e-3
        assert seen.attention.shape == (2, 77, 8, 8)
        assert step.images.shape == (2, 3, 64, 64)
        assert step.images.abs().max() <= 1
        assert not step.images.requires_grad
        assert torch.is_grad_enabled()


def test_the_norms_are_those_of_the_formula(store: ModelStore) -> None:
    """v = v(negative) + w (v(prompt) - v(negative)), so w 0 and w 1 give the two velocities alone."""
    first = {
        scale: next(task.run(TextToImageRequest(guidance_scale=scale, seed=3, steps=2), store)) for scale in (0, 1, 3)
    }
    left = store.get(CHECKPOINT).scheduler.alphas_cumprod[999]

    def velocity(step: TextToImageStep) -> Tensor:
        return left.sqrt() * step.guided.noise_pred - (1 - left).sqrt() * step.guided.pred_x0

    negative, asked, guided = (velocity(first[scale]) for scale in (0, 1, 3))
    assert apart(guided, negative + 3 * (asked - negative)) <= 1e-3
    norms = [part.square().mean().sqrt().item() for part in (negative, asked, asked - negative)]
    for step in first.values():
        assert step.guided.norms[0].tolist() == pytest.approx(norms, rel=0.01)


def test_guidance_0_ignores_the_prompt_and_more_heeds_it_more(store: ModelStore) -> None:
    cat, sun = ({"prompt": prompt} for prompt in ("戴眼镜的女士", "a sun"))
    assert apart(draw(store, **cat, guidance_scale=0).images, draw(store, **sun, guidance_scale=0).images) <= SAME
    images = [draw(store, **sun, guidance_scale=scale).images for scale in (0, 1, 12)]
    assert apart(images[0], images[1]) > SAME
    assert apart(images[1], images[2]) > 10 * SAME
    assert apart(draw(store, **sun, negative_prompt="red").images, draw(store, **sun).images) > SAME


def test_prompts_and_guidance_side_by_side_are_as_each_alone(store: ModelStore) -> None:
    first = TextToImageRequest(prompt="a sun", seed=7, steps=3)
    requests = [first, replace(first, prompt="太阳"), replace(first, guidance_scale=9), replace(first, seed=8)]
    with counted(store) as batches:
        *_, last = task.abreast(requests, store)
    assert batches == [8] * 3
    for request, picture in zip(requests, last.images, strict=True):
        *_, single = task.run(request, store)
        assert apart(single.images[0], picture) <= SAME
    with pytest.raises(InputError, match="same solver and steps"):
        next(task.abreast([first, replace(first, steps=4)], store))


def test_nothing_is_computed_before_it_is_asked_for_or_after_the_stop(store: ModelStore) -> None:
    with counted(store) as batches:
        steps = task.run(TextToImageRequest(count=2, steps=50), store)
        assert batches == []
        assert [step.index for step in islice(steps, 3)] == [1, 2, 3]
        del steps
        gc.collect()
        assert batches == [4] * 3


def test_two_who_ask_at_once_leave_nothing_behind(store: ModelStore) -> None:
    pipeline = store.get(CHECKPOINT)
    parts = (pipeline.unet, pipeline.text_encoder, pipeline.vae)
    before = [{key: tensor.clone() for key, tensor in part.state_dict().items()} for part in parts]
    scheduler = dict(pipeline.scheduler.__dict__)
    everyone = torch.default_generator.get_state()
    alone = draw(store, seed=9).images
    one, other = (task.run(TextToImageRequest(seed=seed, steps=3), store) for seed in (9, 10))
    *_, (last, _) = zip(one, other, strict=True)
    assert torch.equal(last.images, alone)
    assert torch.equal(torch.default_generator.get_state(), everyone)
    assert pipeline.scheduler.__dict__ == scheduler
    for part, state in zip(parts, before, strict=True):
        for key, tensor in part.state_dict().items():
            assert torch.equal(tensor, state[key])


def test_row_22_what_is_not_finite_is_no_picture(checkpoints: Path, tmp_path: Path) -> None:
    own = ModelStore(Path(shutil.copytree(checkpoints / CHECKPOINT, tmp_path / CHECKPOINT)).parent, torch.device("cpu"))
    own.get(CHECKPOINT).unet.conv_out.bias.data.fill_(torch.nan)
    with pytest.raises(ImageGenError, match="not finite numbers"):
        to_pictures(draw(own).images)


# How a prompt is read


def test_words_are_put_together_from_their_tokens(store: ModelStore) -> None:
    reading = read("a smiling dragoon, 戴眼镜的 🦄", store)
    assert reading.words == ("a", "smiling", "dragoon", "戴眼镜的", "🦄")
    spelled = ["".join(token.text for token in reading.tokens if token.word == i) for i in range(4)]
    assert spelled == ["a", "smiling", "dragoon", "戴眼镜的"]
    assert [token.text for token in reading.tokens if token.word is None] == ["<|startoftext|>", ",", "<|endoftext|>"]
    assert [token.id for token in reading.tokens] == store.get(CHECKPOINT).tokenizer("a smiling dragoon, 戴眼镜的 🦄")[
        "input_ids"
    ]
    assert set(reading.unknown) == {"dragoon", "🦄"}
    assert reading.cut_off == ""


def test_the_heat_of_a_word_is_that_of_its_tokens_together(store: ModelStore) -> None:
    reading = read("smiling 戴眼镜的", store)
    attention = torch.rand(2, 77, 8, 8, generator=torch.Generator().manual_seed(0))
    heat = reading.heat(attention)
    assert heat.shape == (2, 2, 8, 8)
    assert torch.equal(heat[:, 0], attention[:, 1])
    assert torch.allclose(heat[:, 1], attention[:, 2:6].sum(dim=1))
    assert read("", store).heat(attention).shape == (2, 0, 8, 8)


@pytest.mark.parametrize(
    ("word", "space", "tokens"), [("woman", " ", 1), ("眼", "", 1), ("woman 眼", " ", 2)], ids=["en", "zh", "both"]
)
def test_what_does_not_fit_is_said(word: str, space: str, tokens: int, store: ModelStore) -> None:
    fits = 75 // tokens
    assert read(space.join([word] * fits), store).cut_off == ""
    reading = read(space.join([word] * (fits + 20)), store)
    assert len(reading.tokens) == 77
    assert reading.cut_off == ("眼 " if tokens == 2 else "") + space.join([word] * (20 - 75 % tokens))


def test_a_strange_word_that_is_not_read_is_not_named(store: ModelStore) -> None:
    assert set(read("woman " * 70 + "clock", store).unknown) == {"clock"}
    assert read("woman " * 75 + "clock", store).unknown == {}


@pytest.mark.parametrize(
    ("prompt", "denying"),
    [
        ("A woman WITHOUT glasses, without hat", ("without",)),
        ("no glasses, blond hair", ("no",)),
        ("she doesn't wear earrings", ("doesn",)),
        ("不戴眼镜、没有胡子的男人", ("不", "没")),
        ("不要帽子", ("不要",)),
        ("no entry", ()),
        ("a face without mouth", ()),
        ("woman gesturing no", ()),
        ("a smiling woman", ()),
    ],
)
def test_what_is_said_not_to_be_there_is_noticed(prompt: str, denying: tuple[str, ...], store: ModelStore) -> None:
    reading = read(prompt, store)
    assert reading.negations == denying
    assert not set(denying) & set(reading.unknown)


@pytest.mark.parametrize(
    "prompt", ["", "🦄" * 100, "שלום עולם", "日本の猫", "<|endoftext|>", "a\u0301" * 200, "=" * 1000]
)
def test_row_15_any_text_at_all_is_a_picture(prompt: str, store: ModelStore) -> None:
    request = TextToImageRequest(prompt=prompt, steps=1)
    *_, last = task.run(request, store)
    assert last.images.isfinite().all()
    reading = read(request.prompt, store)
    assert reading.heat(last.guided.attention).shape == (1, len(reading.words), 8, 8)
    assert bool(reading.unknown) == bool(reading.words)


def test_row_16_control_bytes_go_no_further() -> None:
    request = TextToImageRequest(prompt="a\0red\x1b[31m\nheart\u202e", negative_prompt="\x07")
    assert (request.prompt, request.negative_prompt) == ("ared[31m heart", "")


def test_row_14_a_long_prompt_is_refused_at_once() -> None:
    started = time.monotonic()
    for field in ("prompt", "negative_prompt"):
        for size in (1_001, 10**5, 5 * 10**7):
            with pytest.raises(InputError, match=rf"^{field} must be a text of at most 1000 characters\.$"):
                TextToImageRequest(**{field: "x" * size})
    assert time.monotonic() - started < 1


def test_row_29_it_is_loaded_and_painted_without_a_network(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something wants to reach a network")

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert draw(ModelStore(checkpoints, torch.device("cpu"))).images.isfinite().all()


def test_a_checkpoint_that_does_not_tell_its_words_knows_those_for_faces(checkpoints: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoints / CHECKPOINT, tmp_path / CHECKPOINT)
    store = ModelStore(tmp_path, torch.device("cpu"))
    assert not task.known_words(store).unknown("red heart")
    (tmp_path / CHECKPOINT / task.WORDS).unlink()
    with pytest.raises(ImageGenError, match="is missing"):
        task.known_words(store)
    Checkpoint(tmp_path / CHECKPOINT).add("golden/note.json", json.dumps({}).encode())  # writes the sums anew
    assert set(task.known_words(store).unknown("a smiling woman, red heart")) == {"red", "heart"}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("prompt", [None, 7, True, ["a"], {"a": 1}, math.nan, b"a"]),
        ("negative_prompt", [None, 7]),
        ("count", [*NO_WHOLE, -1, 0, 65, None]),
        ("seed", [*NO_WHOLE[:3], math.nan, 10**400, -1, 2**32, None]),
        ("solver", ["heun", "", "ddim ", 7, None, ["ddim"], "d" * 10**5]),
        ("steps", [*NO_WHOLE, -1, 0, 101, None]),
        ("guidance_scale", [-0.1, 12.1, 1e9, math.nan, math.inf, "1.5", True, None, 10**400, [1]]),
    ],
)
def test_what_cannot_be_painted_is_refused_by_name(field: str, values: list[Any]) -> None:
    for value in values:
        with pytest.raises(InputError, match=f"^{field} must be"):
            TextToImageRequest(**{field: value})
