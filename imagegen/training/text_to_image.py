"""`sd-mini`: a small Stable Diffusion for faces and emoji, told in English or Chinese.

Everything but the autoencoder is trained here from nothing: the tokenizer and text encoder on captions made from
attributes and names, the U-Net on the frozen autoencoder's latents, which are computed once. Or it goes on from an
earlier `sd-mini`, which then gives its tokenizer too.
"""

import copy
import math
import random
from collections.abc import Sequence
from itertools import chain
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from imagegen.data.captions import HARD_TO_LEARN, LANGUAGES, TRAITS, disturbed, emoji_caption, face_caption, lexicon
from imagegen.data.emoji import WELL_KNOWN, EmojiFact, emoji, made_up_emoji
from imagegen.data.faces import ATTRIBUTES, dark_eyes, faces, kept_out, made_up_faces
from imagegen.data.lexicon import CHINESE
from imagegen.data.pictures import Pictures, Sources
from imagegen.devices import choose_device, picture_noise
from imagegen.errors import InputError
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.text import BOS, EOS, LENGTH, TextToImage, make_pipeline, make_tokenizer, token_ids
from imagegen.store import ModelStore
from imagegen.training.diffusion import denoising_loss, latents_of
from imagegen.training.recipe import Export, Step, came_from, follow, start_of

__all__ = ["PROMPTS", "TextToImageRecipe"]

AUTOENCODER = "face-autoencoder"
CAPTIONS = 8
"""Wordings of each picture to choose from, every other one Chinese."""
DISTURBED = 0.12
"""Share of the captions that hold a word which says nothing of the picture."""
EMOJI_SHARE = 1 / 2
"""Of the pictures in a step, about."""
WELL_KNOWN_COPIES = 8
"""How much more often than others an emoji is shown whose name people think of first."""
UNSAID = 0.1
"""Share of the pictures whose caption is not said, so that guidance has a plain model to start from."""
LEARNING_RATE = 6e-4
WARMUP, COOLDOWN = 0.02, 0.5
"""Shares of the run in which the learning rate climbs and falls."""
GRADIENT_NORM = 1.0
EMA_HALF_LIFE = 0.03
"""Of the run so far, so that the average is never held back by its start."""
PREVIEW_STEPS, PREVIEW_GUIDANCE = 8, 3.0
PROMPTS = (
    "a smiling young woman with blond hair and glasses",
    "戴眼镜的微笑的金发女士",
    "an older man with a beard",
    "戴帽子的年轻男人",
    "a bald man with a moustache",
    "一位黑发女士",
    "a woman with bangs, lipstick and earrings",
    "灰发的老先生",
    "a young man with brown hair",
    "卷发女孩的肖像",
    "an emoji of a red heart",
    "红心的表情符号",
    "grinning face emoji",
    "太阳表情",
    "an emoji of a cat",
    "一个苹果的表情",
    "emoji: pizza",
    "表情：火箭",
    "an icon of a tree",
    "足球图标",
)


class TextToImageRecipe:
    name = "sd-mini"
    needs: tuple[str, ...] = ("celeba", "emoji", "sd-mini")
    compiled: tuple[str, ...] = ("model",)

    def __init__(self, size: str) -> None:
        self.steps, self.batch = {"small": (10_000, 64), "large": (12_000, 256)}[size]
        args: dict[str, Any] = {
            "small": {"width": 192, "layers": 3, "channels": (96, 128)},
            "large": {"width": 256, "layers": 3, "channels": (128, 160), "blocks": 2},
        }[size]
        self.model = TextToImage(**args)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.reader = nn.Linear(4 * args["channels"][0], math.prod(self.model.latent))
        self.networks: dict[str, nn.Module] = {"model": self.model, "average": self.average, "reader": self.reader}
        self.frozen: dict[str, nn.Module] = {}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "adamw": torch.optim.AdamW(
                [*self.model.parameters(), *self.reader.parameters()], betas=(0.9, 0.99), weight_decay=0.01, fused=True
            )
        }
        self.tokenizer: Any = None
        self.prompts: Sequence[str] = PROMPTS

    def load_data(self, sources: Sources) -> Pictures:
        people, icons, facts = _training_pictures(sources)
        captions = _captions(people, facts)
        if (start := start_of(sources)) is None:
            self.tokenizer = _tokenizer(captions)
        else:
            pipeline = start.load()
            self.tokenizer = pipeline.tokenizer
            for network in (self.model, self.average):
                network.text_encoder.load_state_dict(pipeline.text_encoder.state_dict())
                network.unet.load_state_dict(pipeline.unet.state_dict())
        return self._prepare(_autoencoder(sources), people, icons, facts, captions, choose_device(sources.device))

    def made_up_data(self) -> Pictures:
        self.prompts = PROMPTS[:2]  # two steps need no full sheet
        autoencoder = FaceAutoencoder().eval().requires_grad_(False)
        people, (icons, facts) = made_up_faces().part(0, 32), made_up_emoji()
        captions = _captions(people, facts)
        self.tokenizer = _tokenizer(captions)
        return self._prepare(autoencoder, people, icons, facts, captions, torch.device("cpu"))

    def _prepare(
        self,
        autoencoder: FaceAutoencoder,
        people: Pictures,
        icons: Pictures,
        facts: Sequence[EmojiFact],
        captions: Sequence[Sequence[str]],
        device: torch.device,
    ) -> Pictures:
        """Latents of faces, of mirrored faces and of emoji, with their captions.

        Faces with a trait that is hard to learn are there twice, well-known emoji `WELL_KNOWN_COPIES` times; all emoji
        are repeated to their share.
        """
        self.frozen["autoencoder"] = autoencoder
        ids = token_ids(self.tokenizer, list(chain.from_iterable(_disturbed(captions)))).view(-1, CAPTIONS, LENGTH)
        pixels = torch.cat([people.pixels, people.pixels.flip(3), icons.pixels])
        latents = latents_of(autoencoder, pixels, device)
        if latents.shape[1:] != self.model.latent:
            raise InputError(
                "The latents of {autoencoder} are {found}; sd-mini is built for {wanted}.",
                autoencoder=AUTOENCODER,
                found=tuple(latents.shape[1:]),
                wanted=self.model.latent,
            )
        count = len(people)
        shown = torch.cat([torch.arange(count), _hard_to_learn(people.labels).nonzero()[:, 0]])
        times = torch.tensor([WELL_KNOWN_COPIES if fact.name in WELL_KNOWN else 1 for fact in facts])
        drawn = torch.arange(count, count + len(icons)).repeat_interleave(times)
        drawn = drawn.repeat(max(1, round(2 * len(shown) * EMOJI_SHARE / (1 - EMOJI_SHARE) / len(drawn))))
        pictures = torch.cat([latents[shown], latents[shown + count], latents[drawn + count]])
        return Pictures(pictures, ids[torch.cat([shown, shown, drawn])])

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        """Latents (B, C, H, W), and the ids of their captions (B, CAPTIONS, LENGTH) to choose from."""
        wording = (step.uniform() * CAPTIONS).long()
        ids = labels[torch.arange(len(labels), device=labels.device), wording].long()
        ids = torch.where(step.uniform(1) < UNSAID, _nothing_said().to(ids), ids)
        with step.autocast():
            words = self.model.read(ids)
            # Asked for the mean picture of its words, at every place, the text encoder learns to read at once; by the
            # U-Net alone, two prompts for faces were still all but the same to it after 2,500 steps.
            told = self.reader(self.model.pool(words)).view_as(pictures)
            # Min-SNR weights would all but leave out the noisiest levels, where the words alone choose a picture: four
            # latents with a caption each were told apart after 300 steps without them, and not after 600 with them.
            loss = denoising_loss(self.model, pictures, words, step, gamma=None)
        reading = F.mse_loss(told.float(), pictures.float())
        slope = min(1, (step.progress + 1e-4) / WARMUP, (1 - step.progress) / COOLDOWN)
        step.update(self.optimizers["adamw"], loss + reading, LEARNING_RATE * slope, clip=GRADIENT_NORM)
        follow(self.average, self.model, 0.5 ** (1 / (1 + EMA_HALF_LIFE * step.index)))
        return {"loss": loss.detach(), "reading": reading.detach()}

    @torch.no_grad()
    def preview(self) -> Tensor:
        """The same prompts from the same noise."""
        autoencoder = cast(FaceAutoencoder, self.frozen["autoencoder"])
        pipeline = make_pipeline(autoencoder.vae, self.average, self.tokenizer)
        pictures: Tensor = pipeline(
            list(self.prompts),
            latents=picture_noise(0, len(self.prompts), *self.model.latent).to(pipeline.device),
            num_inference_steps=PREVIEW_STEPS,
            guidance_scale=PREVIEW_GUIDANCE,
            output_type="pt",
        ).images  # in [0, 1]
        return 2 * pictures - 1

    def exports(self, sources: Sources) -> list[Export]:
        people, _, facts = _training_pictures(sources)
        start = start_of(sources)
        tokenizer = start.load().tokenizer if start else _tokenizer(_captions(people, facts))
        parameters = sum(parameter.numel() for parameter in self.average.parameters())
        return [
            Export(
                name=self.name,
                model=make_pipeline(_autoencoder(sources).vae, self.average, tokenizer),
                class_name="StableDiffusionPipeline",
                args={},
                example={
                    "input_ids": token_ids(tokenizer, PROMPTS[:2]).long(),
                    "x_t": picture_noise(0, 2, *self.model.latent),
                    "timesteps": torch.tensor([999, 400]),
                },
                texts={"words.json": lexicon(facts).to_json()},
                summary="A small Stable Diffusion: draws 64x64 faces and emoji from a prompt in English or Chinese. "
                "For non-commercial research only, as CelebA is. CelebA's people are celebrities, mostly young and "
                "white, and its labels are noisy and follow the taste of those who labelled; what this model draws "
                "for a word says no more than that.",
                data=f"CelebA, {len(people):,} aligned faces without glasses beside blond hair, gray hair or a hat, "
                f"and {len(facts):,} emoji: Noto Emoji and Blobmoji (Apache-2.0) and EmojiTwo (CC BY 4.0), with names "
                "from Unicode CLDR",
                licence="other",
                details={
                    "start": came_from(self.name, start),
                    "parameters": f"{parameters / 1e6:.1f} M beside the autoencoder",
                    "latents": " x ".join(map(str, self.model.latent)),
                    "tokens": len(tokenizer),
                    "target": "velocity, all noise levels of the same weight, cosine schedule",
                    "loss": "squared error of the velocity, + that of the mean picture read off the words alone",
                    "captions": f"{CAPTIONS} wordings a picture, half of them Chinese; {UNSAID:.0%} unsaid, "
                    f"{DISTURBED:.0%} with a made-up word",
                    "faces": f"those with {', '.join(HARD_TO_LEARN)} twice, and that said more often; "
                    "sunglasses are told from other glasses by the brightness around the eyes",
                    "emoji": f"{EMOJI_SHARE:.0%} of the pictures in a step; those whose names people think of first "
                    f"{WELL_KNOWN_COPIES} times as often",
                    "learning rate": LEARNING_RATE,
                    "EMA half-life": f"{EMA_HALF_LIFE:.0%} of the run so far",
                },
            )
        ]


def _autoencoder(sources: Sources) -> FaceAutoencoder:
    return ModelStore(sources.checkpoints, torch.device("cpu")).get(AUTOENCODER)  # type: ignore[no-any-return]


def _hard_to_learn(labels: Tensor) -> Tensor:
    """Attributes (N, attributes) -> whether a face has a trait that is hard to learn, bool (N,)."""
    columns = [ATTRIBUTES.index(trait.attribute) for trait in TRAITS if trait.name in HARD_TO_LEARN]
    return labels[:, columns].bool().any(dim=1)


def _training_pictures(sources: Sources) -> tuple[Pictures, Pictures, list[EmojiFact]]:
    """Faces without the kept-out pairs, emoji without the kept-back names, and what is known of these."""
    people = faces(sources.root(0), "train")
    allowed = ~kept_out(people.labels)
    icons, facts = emoji(sources.root(1), "train")
    return Pictures(people.pixels[allowed], people.labels[allowed]), icons, facts


def _captions(people: Pictures, facts: Sequence[EmojiFact]) -> list[list[str]]:
    """`CAPTIONS` wordings of each face and then of each emoji, the same every time."""
    rng = random.Random(0)
    languages = [LANGUAGES[k % len(LANGUAGES)] for k in range(CAPTIONS)]
    said = [dict(zip(ATTRIBUTES, map(bool, row), strict=True)) for row in people.labels.tolist()]
    return [
        *(
            [face_caption(labels, language, rng, dark) for language in languages]
            for labels, dark in zip(said, dark_eyes(people.pixels).tolist(), strict=True)
        ),
        *([emoji_caption(fact, language, rng) for language in languages] for fact in facts),
    ]


def _disturbed(captions: Sequence[Sequence[str]]) -> list[list[str]]:
    """Some with a word that says nothing; no token is made for those."""
    rng = random.Random(1)
    characters = sorted({letter for wordings in captions for caption in wordings[1::2] for letter in caption})
    characters = [letter for letter in characters if CHINESE.match(letter)]
    return [
        [
            disturbed(caption, LANGUAGES[k % len(LANGUAGES)], characters, rng) if rng.random() < DISTURBED else caption
            for k, caption in enumerate(wordings)
        ]
        for wordings in captions
    ]


def _tokenizer(captions: Sequence[Sequence[str]]) -> Any:
    english, chinese = (
        [wording for wordings in captions for wording in wordings[k :: len(LANGUAGES)]] for k in range(len(LANGUAGES))
    )
    return make_tokenizer(english, chinese)


def _nothing_said() -> Tensor:
    """Ids of the empty prompt, (LENGTH,)."""
    return torch.tensor([BOS, *[EOS] * (LENGTH - 1)])
