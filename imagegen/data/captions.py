"""What people may type, in English and Chinese: captions for faces from CelebA's attributes, and for emoji.

One grammar serves training (captions that say what a picture shows) and measuring (prompts that ask for it). Of
faces it speaks in terms of `imagegen.data.faces.ATTRIBUTES` and of nothing else.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from imagegen.data.emoji import EmojiFact
from imagegen.data.lexicon import Lexicon

__all__ = [
    "HARD_TO_LEARN",
    "LANGUAGES",
    "PARTS_ZH",
    "SUNGLASSES",
    "TRAITS",
    "Trait",
    "describe",
    "disturbed",
    "emoji_caption",
    "face_caption",
    "lexicon",
    "traits_of",
]

LANGUAGES = ("en", "zh")
MOST_TRAITS = 4
"""Said in one caption, besides man or woman."""
SAYS_SEX = 0.8
"""Share of captions that say whether it is a man or a woman; the others speak of a person."""
HARD_TO_LEARN = {"glasses": 4, "sunglasses": 4, "earrings": 4, "brown hair": 4, "gray hair": 4}
"""How much more often than others these are said of who has them: left unsaid, they would come unasked instead."""
AS_LIST = 0.15
"""Share of captions that are a list of words, as people type them too."""
AGE_IN_NOUN = 0.3
"""Share of captions with age and sex that say both in one word, such as "girl"."""
ASKED = 0.15
"""Share of captions in words as to a painter: "draw me a smiling man"."""
PRAISED, COUNTED = 0.15, 0.4
"""Shares of the captions of emoji that call it cute or the like, and in Chinese count it: 一只猫."""


@dataclass(frozen=True)
class Trait:
    """One thing to say of a face.

    Args:
        name: in tables of figures.
        attribute, value: the label of CelebA that it stands for, and what that is then.
        before: English words that go before "woman".
        after: English words that follow it, the first of them a preposition.
        before_zh: Chinese words that go before 女士; those without 的 stand next to it.
    """

    name: str
    attribute: str
    value: bool
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    before_zh: tuple[str, ...] = ()


TRAITS = (
    Trait("smile", "Smiling", True, ("smiling", "happy"), ("with a smile",), ("微笑的", "笑着的", "面带微笑的")),
    Trait(
        "open mouth",
        "Mouth_Slightly_Open",
        True,
        ("open-mouthed",),
        ("with an open mouth", "with the mouth open"),
        ("张嘴的", "张着嘴的"),
    ),
    Trait(
        "glasses",
        "Eyeglasses",
        True,
        ("bespectacled",),
        ("with glasses", "wearing glasses", "with eyeglasses", "in glasses"),
        ("戴眼镜的", "戴着眼镜的"),
    ),
    Trait(
        "hat",
        "Wearing_Hat",
        True,
        (),
        ("with a hat", "wearing a hat", "in a hat"),
        ("戴帽子的", "戴着帽子的", "头戴帽子的"),
    ),
    Trait("black hair", "Black_Hair", True, ("black-haired",), ("with black hair",), ("黑发", "黑发的", "黑色头发的")),
    Trait(
        "blond hair",
        "Blond_Hair",
        True,
        ("blond", "blonde", "blond-haired"),
        ("with blond hair", "with blonde hair"),
        ("金发", "金发的", "金色头发的"),
    ),
    Trait(
        "brown hair",
        "Brown_Hair",
        True,
        ("brown-haired",),
        ("with brown hair",),
        ("棕发", "棕发的", "棕色头发的", "褐发的"),
    ),
    Trait(
        "gray hair",
        "Gray_Hair",
        True,
        ("gray-haired", "grey-haired"),
        ("with gray hair", "with grey hair"),
        ("灰发", "灰发的", "灰白头发的", "白发的"),
    ),
    Trait("bald", "Bald", True, ("bald", "bald-headed"), ("with a bald head",), ("光头", "光头的", "秃头的")),
    Trait("bangs", "Bangs", True, (), ("with bangs", "with a fringe"), ("有刘海的", "留刘海的", "留着刘海的")),
    Trait(
        "wavy hair",
        "Wavy_Hair",
        True,
        ("wavy-haired", "curly-haired"),
        ("with wavy hair", "with curls"),
        ("卷发", "卷发的", "波浪卷发的"),
    ),
    Trait("beard", "No_Beard", False, ("bearded",), ("with a beard",), ("有胡子的", "留胡子的", "留着胡须的")),
    Trait(
        "moustache",
        "Mustache",
        True,
        ("moustached",),
        ("with a moustache", "with a mustache"),
        ("留八字胡的", "有小胡子的", "蓄着髭的"),
    ),
    Trait(
        "lipstick",
        "Wearing_Lipstick",
        True,
        (),
        ("with lipstick", "wearing lipstick"),
        ("涂口红的", "涂着口红的", "抹口红的"),
    ),
    Trait(
        "earrings",
        "Wearing_Earrings",
        True,
        (),
        ("with earrings", "wearing earrings"),
        ("戴耳环的", "戴着耳环的", "有耳环的"),
    ),
    Trait("man", "Male", True),
    Trait("woman", "Male", False),
    Trait("young", "Young", True, ("young",), (), ("年轻的", "年轻")),
    Trait("older", "Young", False, ("older", "old", "elderly"), (), ("年长的", "上了年纪的", "老年")),
)
"""All that can be said of a face; man and woman are the noun that the other words stand around."""

SUNGLASSES = Trait(
    "sunglasses",
    "Eyeglasses",
    True,
    (),
    ("with sunglasses", "wearing sunglasses", "in sunglasses", "with dark glasses"),
    ("戴墨镜的", "戴着墨镜的", "戴太阳镜的"),
)
"""What is said of glasses that are dark."""

NOUNS = {
    "man": ("man", "man", "man", "guy", "gentleman"),
    "woman": ("woman", "woman", "woman", "lady"),
    "": ("person", "person", "face"),
    "young man": ("boy", "lad"),
    "young woman": ("girl",),
    "older man": ("old man", "grandfather"),
    "older woman": ("old woman", "grandmother"),
}
NOUNS_ZH = {
    "man": ("男人", "男士", "男性", "男子", "先生"),
    "woman": ("女人", "女士", "女性", "女子"),
    "": ("人",),
    "young man": ("男孩", "小伙子", "青年男子"),
    "young woman": ("女孩", "姑娘", "青年女子"),
    "older man": ("老先生", "老爷爷"),
    "older woman": ("老太太", "老奶奶"),
}
FRAMES = ("{}", "{}", "{}", "a photo of {}", "a portrait of {}", "a picture of {}", "photo: {}")
FRAMES_ZH = ("{}", "{}", "一位{}", "一个{}", "一张{}的照片", "{}的照片", "{}的肖像", "照片：{}")
ASKS = (
    "draw {}",
    "draw me {}",
    "please draw {}",
    "can you draw {}?",
    "show me {}",
    "paint {}",
    "make {}",
    "create an image of {}",
    "generate a picture of {}",
    "i want {}",
    "{}, please",
)
ASKS_ZH = (
    "画{}",
    "请画{}",
    "给我画{}",
    "帮我画{}",
    "画一张{}",
    "给我看{}",
    "我想要{}",
    "请生成{}",
    "给我一张{}的图片",
    "生成一张{}的图片",
    "来一张{}的图",
    "{}，谢谢",
)
PARTS_ZH = (
    "的",
    "有",
    "留",
    "留着",
    "戴",
    "戴着",
    "涂",
    "涂着",
    "头发",
    "胡子",
    "帽子",
    "眼镜",
    "墨镜",
    "太阳镜",
    "耳环",
)
"""Words within those above: of a caption that holds 戴眼镜的, all three have been read."""
EMOJI_FRAMES = (
    "an emoji of {}",
    "{} emoji",
    "emoji: {}",
    "an icon of {}",
    "{}",
    "{}",
    "a picture of {}",
    "a drawing of {}",
)
EMOJI_FRAMES_ZH = ("{}的表情符号", "{}表情", "一个{}的表情", "表情：{}", "{}图标", "{}", "{}", "{}的图片")
PRAISE = ("cute", "nice", "beautiful", "lovely", "funny", "cool", "colorful", "simple")
PRAISE_ZH = ("可爱的", "漂亮的", "美丽的", "好看的", "好玩的", "简单的")
COUNTS = tuple(f"一{measure}" for measure in "个个只只棵朵位张条头匹辆架座颗枚幅片杯碗双块把件本束")
"""One of something, by words that depend on what it is; which goes with what is not known here."""
STYLED_FRAMES = ("{style} emoji: {}", "{style} emoji of {}", "{}, {style} style")
STYLED_FRAMES_ZH = ("{style}表情：{}", "{style}风格的{}", "{}，{style}风格")


def traits_of(labels: Mapping[str, bool]) -> list[Trait]:
    """All that can truly be said of a face with these labels (attribute -> is it there)."""
    return [trait for trait in TRAITS if labels[trait.attribute] == trait.value]


def face_caption(labels: Mapping[str, bool], language: str, rng: random.Random, dark_glasses: bool = False) -> str:
    """A caption of a face: 1 to 4 of its traits, and most times whether it is a man or a woman.

    Args:
        labels: attribute -> is it there.
        language: `en` or `zh`.
        dark_glasses: its glasses, if it wears any, are sunglasses.
    """
    traits = [SUNGLASSES if dark_glasses and trait.name == "glasses" else trait for trait in traits_of(labels)]
    sex = [trait for trait in traits if _is_sex(trait) and rng.random() < SAYS_SEX]
    others = [trait for trait in traits if not _is_sex(trait)]
    # A weighted sample: the greatest of random keys (Efraimidis and Spirakis 2006).
    others.sort(key=lambda trait: rng.random() ** (1 / HARD_TO_LEARN.get(trait.name, 1)), reverse=True)
    return describe(sex + others[: rng.randint(1, MOST_TRAITS)], language, rng, rng.random() < ASKED)


def describe(traits: Iterable[Trait], language: str, rng: random.Random, asked: bool = False) -> str:
    """A face with these traits, in one of many wordings and orders: `a smiling woman with glasses`.

    Args:
        traits: not both of a pair such as young and older.
        language: `en` or `zh`.
        asked: as one asks a painter.
    """
    said = {trait.name: trait for trait in traits}
    noun = next((name for name in ("man", "woman") if name in said), "")
    aged = next((f"{age} {noun}" for age in ("young", "older") if noun and age in said), None)
    if aged is not None and rng.random() < AGE_IN_NOUN:
        noun = aged
    others = [trait for trait in said.values() if trait.name not in noun.split()]
    rng.shuffle(others)
    if language == "zh":
        noun, words = rng.choice(NOUNS_ZH[noun]), [rng.choice(trait.before_zh) for trait in others]
        return _describe_zh(noun, words, ASKS_ZH if asked else FRAMES_ZH, rng)
    noun, words = rng.choice(NOUNS[noun]), [rng.choice(trait.before + trait.after) for trait in others]
    return _describe_en(noun, words, ASKS if asked else FRAMES, rng)


def emoji_caption(fact: EmojiFact, language: str, rng: random.Random) -> str:
    """A caption of an emoji: its name, at times with keywords, with keywords alone, or with the set that drew it.

    The name may have a word of praise or a counting word before it, which say nothing.

    Args:
        language: `en` or `zh`.
    """
    chinese = language == "zh"
    name, keywords = (fact.name_zh, fact.keywords_zh) if chinese else (fact.name, fact.keywords)
    others = [word for word in keywords if word != name]
    some = rng.sample(others, min(len(others), rng.randint(1, 3)))
    if rng.random() < PRAISED:
        name = rng.choice(PRAISE_ZH) + name if chinese else f"{rng.choice(PRAISE)} {name}"
    styled, asked = rng.random() < 0.25, rng.random() < ASKED
    if chinese:
        frame = rng.choice(STYLED_FRAMES_ZH if styled else ASKS_ZH if asked else EMOJI_FRAMES_ZH)
        named = rng.choice(COUNTS) + name if "一" not in frame and rng.random() < COUNTED else name
    else:
        frame = rng.choice(STYLED_FRAMES if styled else ASKS if asked else EMOJI_FRAMES)
        named = name if rng.random() < 0.5 else _with_article(name)
    words = rng.choices(([named], [named, *some], some or [named]), weights=(7, 2, 1))[0]
    return frame.format(("、" if chinese else ", ").join(words), style=fact.set)


def disturbed(caption: str, language: str, characters: Sequence[str], rng: random.Random) -> str:
    """The caption with one made-up word in it, as people's prompts hold words that were never taught.

    What is true of the rest stays true, so that a network learns to draw the rest all the same.

    Args:
        language: `en` or `zh`.
        characters: that Chinese captions are written in; half of a made-up word is of these.
    """
    if language == "zh":
        letters = [rng.choice((chr(rng.randrange(0x4E00, 0x9FA6)), rng.choice(characters))) for _ in range(3)]
        word = "".join(letters[: rng.randint(1, 3)])
        places = [0, len(caption), *(i + 1 for i, letter in enumerate(caption) if letter in "的，、")]
        at = rng.choice(places)
        return caption[:at] + word + rng.choice(("", "的")) + caption[at:]
    word = "".join(rng.choice("bcdfghklmnprstvw") + rng.choice("aeiou") for _ in range(rng.randint(2, 4)))
    words = caption.split(" ")
    words.insert(rng.randint(0, len(words)), rng.choice((word, word, f"with {word}", f"{word},")))
    return " ".join(words)


def lexicon(facts: Iterable[EmojiFact]) -> Lexicon:
    """Every word that a caption of a face, or of these emoji, may hold."""
    about_faces = [
        word
        for options in (
            *(trait.before + trait.after + trait.before_zh for trait in (*TRAITS, SUNGLASSES)),
            *NOUNS.values(),
            *NOUNS_ZH.values(),
            (*FRAMES, *FRAMES_ZH, *EMOJI_FRAMES, *EMOJI_FRAMES_ZH, *ASKS, *ASKS_ZH),
            (*STYLED_FRAMES, *STYLED_FRAMES_ZH, *PRAISE, *PRAISE_ZH, *COUNTS, "an", "and", "和", *PARTS_ZH),
        )
        for word in options
    ]
    about_emoji = [w for f in facts for w in (f.set, f.name, *f.keywords, f.name_zh, *f.keywords_zh)]
    bare = [word.removesuffix("的") for word in about_faces]  # as in a list of words
    return Lexicon.of(text.replace("{style}", "").replace("{}", " ") for text in (*about_faces, *bare, *about_emoji))


def _is_sex(trait: Trait) -> bool:
    return trait.attribute == "Male"


def _describe_en(noun: str, words: Sequence[str], frames: Sequence[str], rng: random.Random) -> str:
    """Words that begin with a preposition follow the noun, those of the same preposition together."""
    if rng.random() < AS_LIST:
        return ", ".join([noun, *(_split(word)[1] for word in words)])
    before: list[str] = []
    after: dict[str, list[str]] = {}
    for word in words:
        preposition, rest = _split(word)
        if preposition:
            after.setdefault(preposition, []).append(rest)
        else:
            before.append(rest)
    phrase = [_with_article(" ".join([*before, noun])), *(f"{key} {_listed(rest)}" for key, rest in after.items())]
    return rng.choice(frames).format(" ".join(phrase))


def _describe_zh(noun: str, words: Sequence[str], frames: Sequence[str], rng: random.Random) -> str:
    """Words that end in 的 come first; of two that are worn, one 戴 may do for both: 戴帽子和耳环的女士."""
    if rng.random() < AS_LIST:
        return rng.choice("，、").join([noun, *(word.removesuffix("的") for word in words)])
    ordered = sorted(words, key=lambda word: not word.endswith("的"))
    worn = [word for word in words if word.startswith("戴")]
    if len(worn) == 2 and rng.random() < 0.5:
        first, second = worn
        both = f"{first.removesuffix('的')}和{second.removeprefix('戴').removeprefix('着')}"
        ordered = [both, *(word for word in ordered if word not in worn)]
    return rng.choice(frames).format("".join([*ordered, noun]))


def _split(word: str) -> tuple[str, str]:
    """`with a hat` -> (`with`, `a hat`); `bald` -> (``, `bald`)."""
    preposition, _, rest = word.partition(" ")
    return (preposition, rest) if rest else ("", word)


def _listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def _with_article(words: str) -> str:
    """`a red heart`, `an old man`; a name that is a list or a plural goes without."""
    if ":" in words or words.endswith("s") or not words[0].islower():
        return words
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
