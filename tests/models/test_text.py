"""The tokenizer's promises, on any text at all, and what the two networks make of tokens."""

import random
import re
import unicodedata
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.diffusion import predict_noise, velocity
from imagegen.models.text import BOS, EOS, LENGTH, VOCABULARY, TextToImage, make_pipeline, make_tokenizer, token_ids

ENGLISH = ["a smiling young woman with blond hair and glasses", "an emoji of a red heart", "piñata", "a lady"] * 5
CHINESE = ["戴眼镜的微笑的金发女士", "红心的表情符号", "一位女士，戴着眼镜"]
CHARACTERS = sorted({character for caption in CHINESE for character in caption})
TINY = {"latent": (16, 8, 8), "width": 64, "layers": 1, "channels": (32, 32)}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return make_tokenizer(ENGLISH, CHINESE)


@pytest.fixture(scope="module")
def model() -> TextToImage:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return TextToImage(**TINY).eval().requires_grad_(False)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60))
def test_no_text_holds_the_end_token(text: str, tokenizer: Any) -> None:
    first, *inside, last = tokenizer(text)["input_ids"]
    assert (first, last) == (BOS, EOS)
    assert not {BOS, EOS} & set(inside)


@pytest.mark.parametrize("text", ["<|endoftext|>", "a <|startoftext|> b", "x<|endoftext|>", "<|ENDOFTEXT|>", "</w>"])
def test_nobody_can_type_the_end_token(text: str, tokenizer: Any) -> None:
    _, *inside, _ = tokenizer(text)["input_ids"]
    assert inside
    assert not {BOS, EOS} & set(inside)


def test_every_byte_is_a_token_alone_and_at_the_end_of_a_word(tokenizer: Any) -> None:
    tokens = tokenizer.get_vocab()
    single = [token for token in tokens if len(token.removesuffix("</w>")) == 1]
    assert len(single) == 512
    assert {f"{token}</w>" for token in single if len(token) == 1} <= tokens.keys()


@pytest.mark.parametrize("around", ["{}", "{}女", "女{}", "女{}女", "a {} b"])
def test_every_chinese_character_of_the_captions_is_one_token(around: str, tokenizer: Any) -> None:
    frame = len(tokenizer(around.format(""))["input_ids"])
    for character in CHARACTERS:
        assert len(tokenizer(around.format(character))["input_ids"]) == frame + 1, character


def test_words_of_english_captions_are_one_token_and_never_across_a_space(tokenizer: Any) -> None:
    caption = ENGLISH[0]
    assert len(tokenizer(caption)["input_ids"]) == len(caption.split()) + 2


def test_no_phrase_becomes_a_token_however_often_it_is_said() -> None:
    often = make_tokenizer(ENGLISH, CHINESE * 100)
    for token in range(len(often)):
        shown = often.decode([token]).strip()
        assert sum(character in CHARACTERS for character in shown) <= 1, shown


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=("C", "Z", "M")), max_size=40))
def test_tokens_tell_the_text_but_for_case_and_spaces(text: str, tokenizer: Any) -> None:
    shown = tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True)
    if "</w>" not in text.lower():
        assert re.sub(r"\s", "", shown) == unicodedata.normalize("NFC", text).lower()


def test_captions_come_back(tokenizer: Any) -> None:
    for caption in (*ENGLISH, *CHINESE[:2]):
        assert tokenizer.decode(tokenizer(caption)["input_ids"], skip_special_tokens=True) == caption


def test_the_same_captions_always_give_the_same_tokenizer(tokenizer: Any) -> None:
    for _ in range(3):
        assert make_tokenizer(ENGLISH, CHINESE).get_vocab() == tokenizer.get_vocab()


def test_the_vocabulary_has_a_limit_and_chinese_goes_first() -> None:
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(6_000)]
    many = make_tokenizer(words * 2, CHINESE)
    assert VOCABULARY - 200 < len(many) <= VOCABULARY
    assert all(len(many(character)["input_ids"]) == 3 for character in CHARACTERS)


def test_ids_are_what_the_pipeline_gives_its_text_encoder(tokenizer: Any) -> None:
    ids = token_ids(tokenizer, ["", "a " * 100, "女士"])
    assert ids.shape == (3, LENGTH)
    assert ids.dtype == torch.int16
    assert ids[0].tolist() == [BOS, *[EOS] * (LENGTH - 1)]
    assert ids[1, 0] == BOS
    assert ids[1, -1] == EOS
    assert (ids[1, 1:-1] != EOS).all()
    padded = tokenizer(["女士"], padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt")
    assert torch.equal(ids[2:].long(), padded.input_ids)


def test_a_saved_tokenizer_reads_the_same(tokenizer: Any, tmp_path: Any) -> None:
    from transformers import CLIPTokenizer

    tokenizer.save_pretrained(tmp_path)
    again = CLIPTokenizer.from_pretrained(tmp_path)
    assert again.model_max_length == LENGTH
    for text in (*ENGLISH, *CHINESE, "<|endoftext|>", "🦄 über"):
        assert again(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_the_prediction_depends_on_each_of_its_inputs(model: TextToImage) -> None:
    x_t = torch.randn(2, 16, 8, 8, generator=torch.Generator().manual_seed(1))
    ids = torch.full((2, LENGTH), EOS)
    ids[:, 0] = BOS
    timesteps = torch.tensor([10, 900])
    words = model.read(ids)
    v = model(x_t, timesteps, words)
    assert v.shape == x_t.shape
    assert torch.equal(v, model(x_t, timesteps, words))
    other = ids.clone()
    other[0, 1] = 300
    changed = (model(x_t, timesteps, model.read(other)) != v).flatten(1).any(dim=1)
    assert changed.tolist() == [True, False]
    assert (model(x_t, timesteps.flip(0), words) != v).any()
    assert (model(x_t.flip(0), timesteps, words) != v).any()


def test_the_noise_schedule_trained_on_is_the_one_drawn_with(model: TextToImage, tokenizer: Any) -> None:
    pipeline = make_pipeline(FaceAutoencoder().vae, model, tokenizer)
    assert torch.allclose(pipeline.scheduler.alphas_cumprod, model.alphas_cumprod, atol=1e-6)


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_the_solver_follows_true_velocities_to_the_picture(steps: int, model: TextToImage, tokenizer: Any) -> None:
    scheduler = make_pipeline(FaceAutoencoder().vae, model, tokenizer).scheduler
    rng = torch.Generator().manual_seed(3)
    x0, x = torch.randn(2, 16, 8, 8, generator=rng), torch.randn(2, 16, 8, 8, generator=rng)
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps[0] == 999, "the first step starts from pure noise"
    for timestep in scheduler.timesteps:
        level = model.alphas_cumprod[timestep.expand(2)]
        x = scheduler.step(velocity(x0, predict_noise(x, x0, level), level), timestep, x).prev_sample
    assert torch.allclose(x, x0, atol=1e-3)


def test_a_pipeline_draws_from_words_of_both_languages(model: TextToImage, tokenizer: Any) -> None:
    pipeline = make_pipeline(FaceAutoencoder().eval().vae, model, tokenizer)
    assert pipeline.unet is model.unet
    latents = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(2))
    drawn = [
        pipeline(prompt, latents=latents, num_inference_steps=2, guidance_scale=3.0, output_type="pt").images
        for prompt in ("a lady", "女士", "a lady")
    ]
    assert drawn[0].shape == (1, 3, 64, 64)
    assert drawn[0].isfinite().all()
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
