"""Captions: true, in many wordings, repeatable, and of nothing that must not be spoken of."""

import random
import re

import pytest

from imagegen.data.captions import (
    LANGUAGES,
    MOST_TRAITS,
    NOUNS,
    NOUNS_ZH,
    SUNGLASSES,
    TRAITS,
    describe,
    disturbed,
    emoji_caption,
    face_caption,
    traits_of,
)
from imagegen.data.emoji import EmojiFact
from imagegen.data.faces import ATTRIBUTES

HEART = EmojiFact("noto", "red heart", ("love", "emotion"), "红心", ("爱", "心"))


def some_labels(rng: random.Random) -> dict[str, bool]:
    return {attribute: rng.random() < 0.4 for attribute in ATTRIBUTES}


def said_of(caption: str, language: str) -> set[str]:
    """The traits whose words are in a caption."""
    found = set()
    for trait in TRAITS:
        if language == "zh":
            words = [word.removesuffix("的") for word in trait.before_zh]
            words += [f"和{word.lstrip('头戴着')}" for word in words if "戴" in word]
            words += [noun for key, nouns in NOUNS_ZH.items() if trait.name in key.split() for noun in nouns]
            text = caption.replace("年轻女", "年轻的女") if trait.name == "young" else caption
            hit = any(word in text for word in words)
        else:
            words = [*trait.before, *(word.split(" ", 1)[1] for word in trait.after)]
            words += [noun for key, nouns in NOUNS.items() if trait.name in key.split() for noun in nouns]
            hit = any(re.search(rf"(?<![\w-]){word}(?![\w-])", caption) for word in words)
        if hit:
            found.add(trait.name)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_caption_says_only_what_is_there(language: str) -> None:
    rng = random.Random(0)
    for _ in range(500):
        labels = some_labels(rng)
        true = {trait.name for trait in traits_of(labels)}
        caption = face_caption(labels, language, rng)
        said = said_of(caption, language)
        assert said <= true, caption
        assert 1 <= len(said - {"man", "woman"}) <= MOST_TRAITS, caption


@pytest.mark.parametrize("language", LANGUAGES)
def test_dark_glasses_are_called_sunglasses(language: str) -> None:
    labels = {attribute: attribute == "Eyeglasses" for attribute in ATTRIBUTES}
    dark = (
        "|".join(w.removesuffix("的") for w in SUNGLASSES.before_zh) if language == "zh" else "sunglasses|dark glasses"
    )
    for seed in range(100):
        assert not re.search(dark, face_caption(labels, language, random.Random(seed)))
    worn = [face_caption(labels, language, random.Random(seed), dark_glasses=True) for seed in range(200)]
    assert sum(bool(re.search(dark, caption)) for caption in worn) > 150
    assert not any("glasses" in said_of(re.sub(dark, "", caption), language) for caption in worn)
    without = labels | {"Eyeglasses": False}
    captions = [face_caption(without, language, random.Random(seed), dark_glasses=True) for seed in range(200)]
    assert not any(re.search(dark, caption) for caption in captions)


def test_what_is_hard_to_learn_is_said_more_often() -> None:
    present = ("Smiling", "Eyeglasses", "Bangs", "Wavy_Hair", "Wearing_Hat", "No_Beard")
    labels = {attribute: attribute in present for attribute in ATTRIBUTES}
    said = [said_of(face_caption(labels, "en", random.Random(seed)), "en") for seed in range(500)]
    assert sum("glasses" in each for each in said) > 1.5 * sum("hat" in each for each in said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_asked_for_is_said(language: str) -> None:
    rng = random.Random(1)
    for _ in range(300):
        traits = rng.sample(traits_of(some_labels(rng)), 3)
        caption = describe(traits, language, rng)
        assert said_of(caption, language) == {trait.name for trait in traits}, caption


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_face_has_many_wordings_and_the_same_every_time(language: str) -> None:
    labels = {
        attribute: attribute in ("Smiling", "Eyeglasses", "Bangs", "Brown_Hair", "No_Beard") for attribute in ATTRIBUTES
    }
    captions = [face_caption(labels, language, random.Random(seed)) for seed in range(500)]
    assert len(set(captions)) > 300
    assert captions == [face_caption(labels, language, random.Random(seed)) for seed in range(500)]


@pytest.mark.parametrize(
    ("names", "language", "caption"),
    [
        ("smile young woman glasses", "en", "a smiling young woman with glasses"),
        ("smile woman glasses", "zh", "戴眼镜的微笑的女士"),
        ("older man beard", "en", "an old man with a beard"),
    ],
)
def test_the_wordings_that_people_would_use_are_among_them(names: str, language: str, caption: str) -> None:
    traits = [trait for trait in TRAITS if trait.name in names.split()]
    assert caption in {describe(traits, language, random.Random(seed)) for seed in range(3000)}


def test_an_emoji_without_keywords_is_called_by_its_name() -> None:
    fact = EmojiFact("noto", "sun", ("sun",), "太阳", ())
    for language, name in (("en", "sun"), ("zh", "太阳")):
        assert all(emoji_caption(fact, language, random.Random(seed)).count(name) == 1 for seed in range(100))


def test_nothing_is_said_of_looks_weight_nose_lips_or_skin() -> None:
    words = [word for trait in TRAITS for word in (*trait.before, *trait.after, *trait.before_zh)]
    words += [noun for nouns in (*NOUNS.values(), *NOUNS_ZH.values()) for noun in nouns]
    text = " ".join(words)
    assert not re.search(
        r"attractive|pretty|beautiful|ugly|handsome|chubby|\bfat\b|slim|nose|\blips?\b|skin|pale|cheek", text
    )
    assert not re.search(r"美|丑|帅|胖|瘦|鼻|嘴唇|皮肤|白皙|脸颊", text)


def test_every_attribute_can_be_spoken_of() -> None:
    assert {trait.attribute for trait in TRAITS} == set(ATTRIBUTES)


@pytest.mark.parametrize(
    ("language", "known"), [("en", {"red heart", "love", "emotion"}), ("zh", {"红心", "爱", "心"})]
)
def test_an_emoji_is_called_by_its_name_or_keywords(language: str, known: set[str]) -> None:
    captions = [emoji_caption(HEART, language, random.Random(seed)) for seed in range(400)]
    assert all(any(word in caption for word in known) for caption in captions)
    named = sum(max(known, key=len) in caption for caption in captions)
    assert 300 < named < 400
    assert 50 < sum("noto" in caption for caption in captions) < 150
    assert len(set(captions)) > 25
    assert captions == [emoji_caption(HEART, language, random.Random(seed)) for seed in range(400)]


def test_the_plainest_emoji_prompts_are_among_the_captions() -> None:
    captions = {emoji_caption(HEART, language, random.Random(seed)) for seed in range(400) for language in LANGUAGES}
    assert {"an emoji of a red heart", "红心的表情符号"} <= captions


@pytest.mark.parametrize(
    ("name", "caption"),
    [("cat", "emoji: a cat"), ("orange heart", "emoji: an orange heart"), ("flag: China", "emoji: flag: China")],
)
def test_a_name_has_the_article_it_takes(name: str, caption: str) -> None:
    fact = EmojiFact("noto", name, (), "", ())
    captions = {emoji_caption(fact, "en", random.Random(seed)) for seed in range(300)}
    assert caption in captions
    assert not any(" a orange" in text or "a flag" in text for text in captions)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_disturbed_caption_is_the_caption_with_a_word_in_it(language: str) -> None:
    rng = random.Random(0)
    labels = {attribute: attribute in ("Smiling", "Eyeglasses", "Black_Hair") for attribute in ATTRIBUTES}
    for _ in range(200):
        caption = face_caption(labels, language, rng)
        strange = disturbed(caption, language, "眼镜", rng)
        parts, whole = (list(text) if language == "zh" else text.split(" ") for text in (caption, strange))
        added = len(whole) - len(parts)
        assert 1 <= added <= (4 if language == "zh" else 2)
        assert any(whole[:i] + whole[i + added :] == parts for i in range(len(parts) + 1)), strange


def test_praise_counts_and_asking_stand_in_captions_of_emoji() -> None:
    said = [emoji_caption(HEART, language, random.Random(seed)) for seed in range(4_000) for language in LANGUAGES]
    for wording in (
        "draw me a (cute |nice )?red heart",
        "a (cute|nice|lovely) red heart",
        "请画一.红心",
        "一.可爱的红心",
    ):
        assert any(re.fullmatch(wording, caption) for caption in said), wording
    assert not any(re.search("一.*一", caption) for caption in said)
