"""Emoji of three sets with their names, as pictures on white: small, clean and full of words."""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from imagegen.data.folders import pictures_in
from imagegen.data.pictures import Pictures
from imagegen.errors import InputError
from imagegen.images import to_bytes

__all__ = ["WELL_KNOWN", "EmojiFact", "emoji", "made_up_emoji"]

SIDE = 64
HELD_OUT_EVERY = 20
"""Of the names in sorted order: a held-out name is unseen in all three sets."""
WELL_KNOWN = frozenset(
    name
    for names in (
        "grinning face, beaming face with smiling eyes, face with tears of joy, smiling face, smiling face "
        "with sunglasses, smiling face with heart-eyes, winking face, face blowing a kiss, crying face, "
        "loudly crying face, angry face, frowning face, neutral face, sleeping face, thinking face, face with "
        "tongue, slightly smiling face, ghost, alien, robot, skull, pile of poo, jack-o-lantern",
        "cat face, cat, dog, mouse face, rabbit face, fox, bear, panda, tiger face, lion, cow face, pig face, "
        "frog, monkey face, chicken, penguin, bird, unicorn, honeybee, butterfly, turtle, snake, octopus, "
        "fish, tropical fish, dolphin, whale, elephant, crab, dragon face, horse face",
        "red apple, green apple, pear, tangerine, lemon, banana, watermelon, grapes, strawberry, cherries, "
        "peach, pineapple, tomato, carrot, mushroom, bread, hamburger, pizza, egg, sushi, cookie, doughnut, "
        "birthday cake, cupcake, hot beverage, beer mug, wine glass",
        "sun, sun with face, crescent moon, full moon, star, glowing star, cloud, rainbow, fire, droplet, "
        "snowflake, snowman, high voltage, globe showing Europe-Africa, deciduous tree, evergreen tree, palm "
        "tree, cactus, Christmas tree, tulip, rose, sunflower, cherry blossom, hibiscus, blossom, four leaf "
        "clover, seedling",
        "rocket, automobile, bus, bicycle, airplane, sailboat, house, castle, soccer ball, basketball, "
        "tennis, trophy, musical note, guitar, camera, laptop, telephone, watch, alarm clock, light bulb, "
        "pencil, scissors, key, locked, bell, balloon, wrapped gift, party popper, crown, top hat, "
        "sunglasses, gem stone, money bag, Santa Claus, thumbs up, thumbs down, raised fist, eyes",
        "red heart, orange heart, yellow heart, green heart, blue heart, purple heart, black heart, broken "
        "heart, sparkling heart, heart with arrow, red circle, blue circle, green circle, yellow circle, red "
        "square, blue square, yellow square, orange square, purple square, check mark button, cross mark, "
        "warning, red question mark, red exclamation mark, right arrow, left arrow, flag: China, flag: United "
        "States, flag: Japan",
    )
    for name in names.split(", ")
)
"""Names that people think of first: faces, animals, food, nature, things, signs. Most others are flags and variants."""


@dataclass(frozen=True)
class EmojiFact:
    """What is known of one emoji: the set that drew it, and its name and keywords in English and Chinese."""

    set: str
    name: str
    keywords: tuple[str, ...]
    name_zh: str
    keywords_zh: tuple[str, ...]


def emoji(root: Path | None, split: str) -> tuple[Pictures, list[EmojiFact]]:
    """Emoji on white, 3x64x64, each labelled with its place in the list of facts.

    Args:
        root: a folder with `captions.jsonl` and `images.zip`.
        split: `train`, or `test` for every 20th name.

    Raises:
        InputError: the files are not there, or a captioned picture is missing.
    """
    if root is None:
        raise InputError("Emoji cannot be downloaded; name their folder with --data, after that of the faces.")
    if not (root / "captions.jsonl").is_file():
        raise InputError("{root} holds no captions.jsonl; name a folder of emoji with --data.", root=root)
    lines = [json.loads(line) for line in (root / "captions.jsonl").read_text(encoding="utf-8").splitlines()]
    held_out = set(sorted({line["name"] for line in lines})[::HELD_OUT_EVERY])
    chosen = [line for line in lines if (line["name"] in held_out) == (split == "test")]
    names = {line["file_name"] for line in chosen}
    found = {name: to_bytes(picture) for name, picture in pictures_in(root / "images.zip", names.__contains__)}
    if missing := sorted(names - found.keys()):
        raise InputError("{root} holds no {name}, which captions.jsonl names.", root=root, name=missing[0])
    pixels = torch.cat([found[line["file_name"]] for line in chosen])
    facts = [
        EmojiFact(line["set"], line["name"], tuple(line["keywords"]), line["name_zh"], tuple(line["keywords_zh"]))
        for line in chosen
    ]
    return Pictures(pixels, torch.arange(len(facts))), facts


def made_up_emoji() -> tuple[Pictures, list[EmojiFact]]:
    """48 blurred coloured blobs under four names in two sets, from a fixed seed: enough to run a recipe, no more."""
    rng = torch.Generator().manual_seed(0)
    coarse = torch.rand(48, 3, 4, 4, generator=rng)
    pixels = F.interpolate(coarse, size=SIDE, mode="bilinear").mul(255).to(torch.uint8)
    words = [("red heart", "红心"), ("blue book", "蓝色书本"), ("sun", "太阳"), ("black cat", "黑猫")]
    facts = [
        EmojiFact(drew, name, (name.split()[-1],), zh, (zh,)) for drew in ("noto", "blob") for name, zh in words
    ] * 6
    return Pictures(pixels, torch.arange(48)), facts
