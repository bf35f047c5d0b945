"""Words of a prompt: where they are, which of them were never taught, and what is like these."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegen.data.captions import LANGUAGES, PARTS_ZH, TRAITS, emoji_caption, face_caption, lexicon
from imagegen.data.emoji import EmojiFact, made_up_emoji
from imagegen.data.lexicon import Lexicon, pieces

FACTS = made_up_emoji()[1]
KNOWN = lexicon(FACTS)
DINOSAUR = EmojiFact("noto", "T-Rex", ("dinosaur",), "霸王龙: 白", ("恐龙",))


def words(text: str, known: Lexicon = KNOWN) -> list[str]:
    return [text[start:end] for start, end in known.split(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a smiling, young woman!", ["a", "smiling", "young", "woman"]),
        ("blond-haired 3-year-old's", ["blond", "haired", "3", "year", "old", "s"]),
        ("戴眼镜的微笑的金发女士", ["戴眼镜的", "微笑的", "金发", "女士"]),
        ("一张戴着帽子的女孩的照片", ["一张", "戴着帽子的", "女孩", "的照片"]),
        ("戴帽子的龙骑士", ["戴帽子的", "龙骑士"]),
        ("woman戴眼镜的 🦄❤️ café", ["woman", "戴眼镜的", "🦄❤️", "café"]),
        ("שלום, नमस्ते", ["שלום", "नमस्ते"]),
        ("", []),
        (" .,;。、！ ", []),
    ],
)
def test_words_of_a_prompt(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_words_come_in_order_and_only_signs_between_words_are_left_out(text: str) -> None:
    spans = KNOWN.split(text)
    assert all(start < end for start, end in spans)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert [i for start, end in spans for i in range(start, end)] == [
        i for start, end in pieces(text) for i in range(start, end)
    ]


def test_every_word_of_every_caption_is_known() -> None:
    rng = random.Random(0)
    for facts in (FACTS, [*FACTS, DINOSAUR]):
        known = lexicon(facts)
        for i in range(300):
            language = LANGUAGES[i % 2]
            labels = {trait.attribute: rng.random() < 0.5 for trait in TRAITS}
            for caption in (face_caption(labels, language, rng), emoji_caption(rng.choice(facts), language, rng)):
                assert not known.unknown(caption), caption


def test_strange_words_are_named_with_the_nearest() -> None:
    strange = KNOWN.unknown("a smilling womann with dragon wings, smilling")
    assert list(strange) == ["smilling", "womann", "dragon", "wings"]
    assert (strange["smilling"], strange["womann"]) == (("smiling", "smile"), ("woman", "man"))
    assert KNOWN.unknown("戴眼镜的女骑士") == {"女骑士": ("女士", "女人")}
    assert KNOWN.unknown("🦄 שלום") == {"🦄": (), "שלום": ()}
    assert KNOWN.unknown("A SMILING Woman") == {}


def test_what_stands_within_words_of_captions_is_known_by_itself() -> None:
    assert KNOWN.unknown("戴墨镜的、有头发的年轻女士") == {}
    assert KNOWN.unknown("高大的女士") == {"高大": ()}
    spoken = " ".join(KNOWN.chinese - set(PARTS_ZH))
    assert all(part in spoken for part in PARTS_ZH)


def test_an_emoji_that_was_not_taught_is_not_known() -> None:
    assert set(KNOWN.unknown("dinosaur 恐龙")) == {"dinosaur", "恐龙"}
    assert lexicon([*FACTS, DINOSAUR]).unknown("dinosaur T-REX 恐龙 霸王龙") == {}


def test_only_the_first_strange_words_are_looked_up() -> None:
    text = " ".join(f"{letter * 40}" for letter in "bcdfghjklmnpqrtv")
    assert list(KNOWN.unknown(text, most=3)) == ["b" * 40, "c" * 40, "d" * 40]


def test_it_is_the_same_through_a_file(tmp_path: Path) -> None:
    assert Lexicon.from_json(KNOWN.to_json()) == KNOWN
    assert Lexicon.from_json(KNOWN.to_json().encode()) == KNOWN
