"""Does a picture show what was asked? Judges that were trained apart look, and are held against real pictures.

A judge errs on real faces too. So a figure of faces is the share of the traits asked for that it sees, over the share
that it sees on real held-out faces that have them. An emoji is recognised if, of all real ones whose names people
think of first, the most alike bears the name asked for.
"""

import copy
import io
import random
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imagegen.data.captions import LANGUAGES, SUNGLASSES, TRAITS, describe
from imagegen.data.emoji import WELL_KNOWN, emoji
from imagegen.data.faces import ATTRIBUTES, KEPT_OUT, dark_eyes, faces, kept_out
from imagegen.data.pictures import Pictures, Sources
from imagegen.devices import picture_noise
from imagegen.evaluation.faces import FaceFeatures
from imagegen.evaluation.features import as_saved, in_batches
from imagegen.evaluation.measures import Figures, figure
from imagegen.images import grid, to_pictures
from imagegen.models.perceptual import load_squeezenet
from imagegen.store import ModelStore

__all__ = [
    "SHEET",
    "draw",
    "evaluate_text_to_image",
    "recognised",
    "seen_share",
    "sheet",
    "shown_over_real",
    "with_traits",
]

JUDGE = "face-attributes"
COUNT, PAIR_COUNT = 1_140, 100
"""Prompts of 1 to 3 traits, and prompts of each kept-out pair."""
STEPS, GUIDANCE = 20, 3.0
BATCH = 60
SEED = 0
SHEET = (
    "a smiling young woman with blond hair and glasses", "an older man with a beard", "a bald man with a moustache",
    "a woman with bangs, lipstick and earrings", "a young man with brown hair", "a man with gray hair and glasses",
    "a woman with wavy black hair", "a young woman wearing a hat", "a man wearing a hat and glasses",
    "a woman in sunglasses", "戴眼镜的微笑的金发女士", "留胡子的老先生", "戴帽子的年轻男人",
    "一位黑发女士", "灰发的老先生", "卷发女孩的肖像", "戴耳环的女士", "棕发的年轻男人", "涂口红的女士", "秃头的男士",
    "an emoji of a red heart", "grinning face emoji", "an emoji of a cat", "emoji: pizza", "an icon of a tree",
    "an emoji of the sun", "an emoji of a red apple", "blue square emoji", "an emoji of a star", "a rocket emoji",
    "红心的表情符号", "太阳表情", "一个苹果的表情", "足球图标", "表情：火箭", "绿色方块的表情", "星星表情",
    "树的表情", "黄色笑脸表情", "月亮图标",
)  # fmt: skip
"""Prompts whose pictures stand in the card, ten in a row."""


def evaluate_text_to_image(
    store: ModelStore, name: str, sources: Sources, count: int = COUNT, pair_count: int = PAIR_COUNT
) -> Figures:
    """Traits shown over traits that real faces show: of all prompts, by language, by trait, and of kept-out pairs; how
    many glasses are dark; the share of emoji recognised.

    Args:
        count: prompts of 1 to 3 traits, each trait in turn, with others that a real face has beside it.
        pair_count: prompts of each pair that neither generator nor judge was trained on.
    """
    rng = random.Random(SEED)
    plain, paired = _real_faces(sources)
    share = seen_share(store, plain)
    asked = _asked(with_traits(plain.labels), count, rng)
    chinese = torch.arange(count) % 2 == 1
    seen = _drawn_and_seen(store, name, asked, chinese, rng)
    figures = {
        "shown as asked": _figure(seen, asked, share),
        "shown as asked, English": _figure(seen[~chinese], asked[~chinese], share),
        "shown as asked, Chinese": _figure(seen[chinese], asked[chinese], share),
    }
    for i, trait in enumerate(TRAITS):
        figures[f"shown as asked, {trait.name}"] = _figure(seen[:, [i]], asked[:, [i]], share[[i]])
    chinese = torch.arange(pair_count) % 2 == 1
    for pair, people in paired.items():
        asked = torch.tensor([trait.value and trait.attribute in pair for trait in TRAITS]).expand(pair_count, -1)
        seen = _drawn_and_seen(store, name, asked, chinese, rng)
        figures[f"shown as asked, {' with '.join(pair)}"] = _figure(seen, asked, seen_share(store, people))
    figures |= _glasses_figures(store, name, plain, pair_count)
    return figures | _emoji_figures(store, name, sources)


def sheet(store: ModelStore, name: str) -> bytes:
    """A WebP file of one picture for each prompt of `SHEET`, drawn as for the figures."""
    file = io.BytesIO()
    grid(to_pictures(draw(store.get(name), SHEET)), columns=10).save(file, "WEBP", quality=90)
    return file.getvalue()


def shown_over_real(seen: Tensor, asked: Tensor, share: Tensor) -> float:
    """Traits asked for and seen, over how many of them would be seen on real faces.

    Args:
        seen, asked: bool (prompts, traits).
        share: of real faces with a trait, those on which it is seen, (traits,).
    """
    return ((seen & asked).sum() / (share * asked).sum()).item()


def recognised(drawn: Tensor, asked: Sequence[str], real: Tensor, names: Sequence[str]) -> int:
    """How many pictures are, of all real ones, most like one that bears the name asked for.

    Args:
        drawn, real: features, (drawn, features) and (real, features), compared by their angle.
        asked, names: of each of them.
    """
    nearest = (F.normalize(drawn) @ F.normalize(real).T).argmax(dim=1).tolist()
    return sum(names[i] == name for i, name in zip(nearest, asked, strict=True))


def with_traits(attributes: Tensor) -> Tensor:
    """Attributes (N, attributes), 1 where there, as traits (N, traits): bool, in the order of `TRAITS`."""
    columns = [attributes[:, ATTRIBUTES.index(trait.attribute)].bool() == trait.value for trait in TRAITS]
    return torch.stack(columns, dim=1)


def seen_share(store: ModelStore, people: Pictures) -> Tensor:
    """Of real faces that have a trait, the share on which the judge sees it, (traits,); 1 where nobody has it."""
    has = with_traits(people.labels)
    hits = (_traits_seen(store, people[:][0]) & has).sum(dim=0)
    return torch.where(has.any(dim=0), hits / has.sum(dim=0).clamp(min=1), 1.0)


@torch.no_grad()
def draw(pipeline: Any, prompts: Sequence[str]) -> Tensor:
    """A picture of each prompt, as saved: (N, 3, H, W) in [-1, 1]; picture i from seed i."""
    pipeline = copy.copy(pipeline)  # the stored one keeps its scheduler as it is
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config)
    side = pipeline.unet.config.sample_size
    noise = picture_noise(SEED, len(prompts), pipeline.unet.config.in_channels, side, side)
    pictures = [
        pipeline(
            list(prompts[i : i + BATCH]),
            latents=noise[i : i + BATCH].to(pipeline.device),
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            output_type="pt",
        ).images
        for i in range(0, len(prompts), BATCH)
    ]
    return as_saved(2 * torch.cat(pictures) - 1)


def _real_faces(sources: Sources) -> tuple[Pictures, dict[tuple[str, str], Pictures]]:
    """Held-out faces without a kept-out pair, and for each pair all faces that have it: none was trained on."""
    splits = [faces(sources.root(0), split) for split in ("train", "validation", "test")]
    everyone = Pictures(torch.cat([s.pixels for s in splits]), torch.cat([s.labels for s in splits]))
    paired = {}
    for pair in KEPT_OUT:
        first, second = (everyone.labels[:, ATTRIBUTES.index(attribute)].bool() for attribute in pair)
        paired[pair] = _those(everyone, first & second)
    return _those(splits[-1], ~kept_out(splits[-1].labels)), paired


def _those(people: Pictures, chosen: Tensor) -> Pictures:
    return Pictures(people.pixels[chosen], people.labels[chosen])


def _asked(has: Tensor, count: int, rng: random.Random) -> Tensor:
    """Which traits to ask for, bool (count, traits): each in turn, with up to two more of a real face that has it."""
    asked = torch.zeros(count, len(TRAITS), dtype=torch.bool)
    for i in range(count):
        trait = i // 2 % len(TRAITS)  # two in a row: one in each language
        asked[i, trait] = True
        if people := has[:, trait].nonzero()[:, 0].tolist():
            others = [other for other in has[rng.choice(people)].nonzero()[:, 0].tolist() if other != trait]
            asked[i, rng.sample(others, min(len(others), rng.randint(0, 2)))] = True
    return asked


def _drawn_and_seen(store: ModelStore, name: str, asked: Tensor, chinese: Tensor, rng: random.Random) -> Tensor:
    """What the judge sees in a picture of each prompt, bool like `asked` (prompts, traits)."""
    prompts = [
        describe([trait for trait, wanted in zip(TRAITS, row, strict=True) if wanted], "zh" if zh else "en", rng)
        for row, zh in zip(asked.tolist(), chinese.tolist(), strict=True)
    ]
    return _traits_seen(store, draw(store.get(name), prompts))


def _traits_seen(store: ModelStore, pictures: Tensor) -> Tensor:
    """What the judge sees in pictures (N, 3, 64, 64): bool (N, traits)."""
    return with_traits(in_batches(store.get(JUDGE), pictures) > store.asset(JUDGE, "thresholds"))


def _glasses_figures(store: ModelStore, name: str, people: Pictures, count: int) -> Figures:
    """The share of dark ones where sunglasses are asked for and where glasses are, of all that are seen."""
    glasses = next(trait for trait in TRAITS if trait.name == "glasses")
    column = TRAITS.index(glasses)
    real = people[with_traits(people.labels)[:, column].nonzero()[:, 0]][0]
    against = f"{dark_eyes(1 + real).float().mean():.3g} (of real faces with glasses)"
    figures = {}
    for asked in (SUNGLASSES, glasses):
        rng = random.Random(SEED)
        prompts = [describe([asked], LANGUAGES[i % len(LANGUAGES)], rng) for i in range(count)]
        drawn = draw(store.get(name), prompts)
        dark = dark_eyes(1 + drawn)[_traits_seen(store, drawn)[:, column]].tolist()
        how = f"{len(dark)} of {count} prompts, those on which glasses are seen, seed {SEED}, {STEPS} steps"
        figures[f"dark glasses, asked for {asked.name}"] = figure(
            sum(dark) / max(1, len(dark)), f"{how}, guidance {GUIDANCE:g}; dark around the eyes", against
        )
    return figures


def _emoji_figures(store: ModelStore, name: str, sources: Sources) -> Figures:
    """The share of emoji recognised in each language, beside that of real ones among those of the other sets."""
    icons, facts = emoji(sources.root(1), "train")
    chosen = [i for i, fact in enumerate(facts) if fact.name in WELL_KNOWN]
    known, sets = [facts[i] for i in chosen], {facts[i].set for i in chosen}
    names = [fact.name for fact in known]
    network = FaceFeatures(load_squeezenet(sources.features))
    real = in_batches(network, icons[torch.tensor(chosen)][0])
    hits = 0
    for one in sets:
        own = torch.tensor([fact.set == one for fact in known])
        others = [fact.name for fact in known if fact.set != one]
        hits += recognised(real[own], [fact.name for fact in known if fact.set == one], real[~own], others)
    named = {fact.name: fact for fact in known}
    prompts = {
        "en": [f"{fact.name} emoji" for fact in named.values()],
        "zh": [f"{fact.name_zh}的表情符号" for fact in named.values()],
    }
    drawn = {language: in_batches(network, draw(store.get(name), prompts[language])) for language in LANGUAGES}
    how = f"{len(named)} names people think of first, nearest of {len(known)} real emoji by SqueezeNet features"
    against = f"{hits / len(known):.3g} (real ones, among those of the other sets)"
    return {
        f"emoji recognised, {words}": figure(
            recognised(drawn[language], list(named), real, names) / len(named),
            f"{how}, seed {SEED}, {STEPS} steps, guidance {GUIDANCE:g}",
            against,
        )
        for language, words in (("en", "English"), ("zh", "Chinese"))
    }


def _figure(seen: Tensor, asked: Tensor, share: Tensor) -> dict[str, Any]:
    how = f"{int(asked.any(dim=1).sum()):,} prompts, seed {SEED}, {STEPS} steps, guidance {GUIDANCE:g}"
    against = f"seen by {JUDGE} at its threshold, over the share of real faces kept from training"
    return figure(shown_over_real(seen, asked, share), f"{how}; {against}", "≥ 0.75")
