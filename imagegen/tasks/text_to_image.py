"""Words to pictures: a prompt in English or Chinese, and step by step a face or an emoji that is painted after it."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from imagegen.data.captions import lexicon
from imagegen.data.lexicon import Lexicon
from imagegen.devices import SEEDS, generators
from imagegen.engines.engine import AUTO, Engine, Painted
from imagegen.errors import InputError
from imagegen.models.diffusion import SOLVERS, betas, solve
from imagegen.models.text import LENGTH, SCHEDULE, Guided, guided, token_ids
from imagegen.store import ModelStore
from imagegen.tasks import checks
from imagegen.tasks.engines import asked, engine_named

__all__ = [
    "CHECKPOINT",
    "MAX_COUNT",
    "MAX_GUIDANCE",
    "MAX_NAME",
    "MAX_PROMPT",
    "MAX_STEPS",
    "WORDS",
    "Reading",
    "TextToImageRequest",
    "TextToImageStep",
    "Token",
    "abreast",
    "alone",
    "decode",
    "encode",
    "engine_of",
    "known_words",
    "read",
    "run",
]

CHECKPOINT = "sd-mini"
WORDS = "assets/words.json"
"""Of the checkpoint: the lexicon of its captions."""
MAX_COUNT = 64
MAX_STEPS = 100
MAX_GUIDANCE = 12.0
MAX_PROMPT = 1_000
MAX_NAME = 200
DENYING = re.compile(r"(no|not|without|never|(do|does|did|is|are|has|have)n|[不没无别].?)$")
DENIABLE = re.compile(
    r"smil|glasses|^hats?$|hair|^bald|^bangs$|^fringe$|beard|mou?stach|^lipstick$|^earrings?$"
    r"|微笑|眼镜|墨镜|帽子|发的?$|光头|胡子|胡须|八字胡|口红|耳环|刘海"
)
"""Words that deny, and words of a face that they may stand before."""


@dataclass(frozen=True)
class TextToImageRequest:
    """Faces or emoji of `sd-mini`, 64x64 in colour, or pictures of another engine of the app.

    An engine leaves aside what does not apply to it, as a service does with seed, solver and guidance. `sd-mini` and
    other U-Nets read 75 tokens; diffusers' pipelines take a guidance below 1 for 1.

    Args:
        prompt: what to paint, in English or Chinese, at most 1,000 characters.
        negative_prompt: what to go away from.
        count: pictures, 1 to 64; picture i is drawn from seed + i.
        seed: 0 to 2^32 - 1.
        solver: one of `SOLVERS`, or any other case of one.
        steps: 1 to 100.
        guidance_scale: 0 paints after the negative prompt, 1 after the prompt, up to 12 more so.
        engine: `sd-mini`, or the name of another one that the app was started with.
        size: `auto`, or one of the engine's sizes, such as 512x512.
    """

    prompt: str = "a smiling young woman with blond hair"
    negative_prompt: str = ""
    count: int = 1
    seed: int = 0
    solver: str = "ddim"
    steps: int = 20
    guidance_scale: float = 3.0
    engine: str = CHECKPOINT
    size: str = AUTO

    def __post_init__(self) -> None:
        checks.settle(
            self,
            prompt=checks.text("prompt", self.prompt, MAX_PROMPT),
            negative_prompt=checks.text("negative_prompt", self.negative_prompt, MAX_PROMPT),
            count=checks.whole("count", self.count, 1, MAX_COUNT),
            seed=checks.seed(self.seed),
            solver=checks.choice("solver", self.solver, SOLVERS),
            steps=checks.whole("steps", self.steps, 1, MAX_STEPS),
            guidance_scale=checks.number("guidance_scale", self.guidance_scale, 0, MAX_GUIDANCE),
            engine=checks.text("engine", self.engine, MAX_NAME),
            size=checks.text("size", self.size, MAX_NAME).lower(),
        )


@dataclass(frozen=True)
class TextToImageStep:
    """One step; the last one's `images` are the result.

    Args:
        x_t: noisy latents (N, C, H, W).
        guided: what the network saw in them.
        decode: from latents to pictures.
        index, total: of this step in the run, from 1.
        timestep: its noise level, of 1,000.
    """

    x_t: Tensor
    guided: Guided
    decode: Callable[[Tensor], Tensor]
    index: int
    total: int
    timestep: int

    @property
    def images(self) -> Tensor:
        """What the network takes the pictures to be, (N, 3, 64, 64) in [-1, 1]; decoded when asked for."""
        return self.decode(self.guided.pred_x0)


def run(request: TextToImageRequest, store: ModelStore) -> Iterator[TextToImageStep | Painted]:
    """Paint the pictures that `request` asks for.

    Raises:
        InputError: its engine is not there, or does not do what is asked for.
    """
    if engine := engine_of(request, store):
        yield from engine.paint(asked(request, request.size))
    else:
        yield from _together([alone(request, i) for i in range(request.count)], store)


def engine_of(request: TextToImageRequest, store: ModelStore) -> Engine | None:
    """The engine that a request names, or None for the checkpoint.

    Raises:
        InputError: the app has no such engine, or it has no such size or paints not as many pictures.
    """
    engine = engine_named(request, CHECKPOINT, store.engines)
    checks.choice("size", request.size, (AUTO, *(engine.sizes if engine else ())))
    return engine


def alone(request: TextToImageRequest, index: int) -> TextToImageRequest:
    """The request that paints picture `index` of another one, and nothing else."""
    return replace(request, count=1, seed=(request.seed + index) % SEEDS)


def abreast(requests: Sequence[TextToImageRequest], store: ModelStore) -> Iterator[TextToImageStep | Painted]:
    """The first picture of each request: of `sd-mini` in one batch, of another engine one after another.

    Raises:
        InputError: they are not of the same engine, solver and number of steps.
    """
    if any(other.engine != requests[0].engine for other in requests):
        raise InputError("Pictures that are painted side by side need the same engine.")
    if engine := engine_of(requests[0], store):
        done: list[Tensor] = []
        for place, request in enumerate(requests):
            for step in engine.paint(asked(alone(request, 0), request.size)):
                done += step.result if step.result is not None else []
                if len({picture.shape for picture in done}) > 1:
                    raise InputError("Pictures that are painted side by side need the same size.")
                yield replace(
                    step,
                    index=place * step.total + step.index,
                    total=len(requests) * step.total,
                    result=torch.stack(done) if done else None,
                )
    else:
        yield from _together(requests, store)


def _together(requests: Sequence[TextToImageRequest], store: ModelStore) -> Iterator[TextToImageStep]:
    solver, steps = requests[0].solver, requests[0].steps
    if any((other.solver, other.steps) != (solver, steps) for other in requests):
        raise InputError("Pictures that are painted side by side need the same solver and steps.")
    pipeline = store.get(CHECKPOINT)
    device = store.device
    words = encode(pipeline, [r.negative_prompt for r in requests] + [r.prompt for r in requests])
    scale = torch.tensor([r.guidance_scale for r in requests], device=device)
    rngs = [generators(request.seed, 1)[0] for request in requests]
    side = pipeline.unet.config.sample_size
    x = torch.stack([torch.randn(pipeline.unet.config.in_channels, side, side, generator=rng) for rng in rngs])
    alphas_cumprod = (1 - betas(SCHEDULE)).cumprod(0).float().to(device)
    seen: list[Guided] = []

    def look(x_t: Tensor, timestep: int) -> tuple[Tensor, Tensor]:
        left = alphas_cumprod[timestep].expand(len(x_t))
        seen.append(guided(pipeline.unet, x_t, left, timestep, words, scale))
        return seen[-1].noise_pred, seen[-1].pred_x0

    pictures = partial(decode, pipeline.vae)
    for step in solve(look, x.to(device), rngs, solver, steps, SCHEDULE):
        yield TextToImageStep(step.x_t, seen.pop(), pictures, step.index + 1, step.total, step.timestep)


@torch.no_grad()
def encode(pipeline: Any, prompts: Sequence[str]) -> Tensor:
    """What the text encoder makes of each token, (N, LENGTH, width); of the same prompt it is asked once."""
    different = list(dict.fromkeys(prompts))
    ids = token_ids(pipeline.tokenizer, different).long().to(pipeline.text_encoder.device)
    words: Tensor = pipeline.text_encoder(ids).last_hidden_state
    return words[[different.index(prompt) for prompt in prompts]]


@torch.no_grad()
def decode(vae: Any, latents: Tensor) -> Tensor:
    """Latents (N, C, h, w) -> pictures (N, 3, 64, 64) in [-1, 1]."""
    return vae.decode(latents / vae.config.scaling_factor).sample.clamp(-1, 1)  # type: ignore[no-any-return]


# How a prompt is read


@dataclass(frozen=True)
class Token:
    """One token: its id, the text that it stands for, and which word of the prompt it belongs to, if any."""

    id: int
    text: str
    word: int | None


@dataclass(frozen=True)
class Reading:
    """A prompt as the model reads it.

    Args:
        words: of the prompt, as far as they are read.
        tokens: with the start and the end.
        cut_off: what is beyond the last token that fits.
        unknown: words that it was never taught, each with those it knows that look most like it.
        negations: words that deny, of a prompt for a face, which may not help.
    """

    words: tuple[str, ...]
    tokens: tuple[Token, ...]
    cut_off: str
    unknown: dict[str, tuple[str, ...]]
    negations: tuple[str, ...] = ()

    def heat(self, attention: Tensor) -> Tensor:
        """Attention to each token (N, LENGTH, h, w) -> to each word, (N, words, h, w)."""
        places = [[i for i, token in enumerate(self.tokens) if token.word == word] for word in range(len(self.words))]
        return (
            torch.stack([attention[:, tokens].sum(dim=1) for tokens in places], dim=1) if places else attention[:, :0]
        )


def read(prompt: str, store: ModelStore, engine: Engine | None = None) -> Reading:
    """How the model, or that of an engine, reads a prompt that a request has checked.

    What an engine was taught is not known here; one that shows no attention tells no words either.
    """
    if engine is None:
        tokenizer, known = store.get(CHECKPOINT).tokenizer, known_words(store)
    elif tokenizer := engine.tokenizer():
        known = lexicon(())
    else:
        return Reading((), (), "", {})
    read = tokenizer(prompt, truncation=True, max_length=LENGTH, return_offsets_mapping=True)
    ids, places = read["input_ids"], [tuple(place) for place in read["offset_mapping"]]
    end = max((stop for _, stop in places), default=0)
    spans = [span for span in known.split(prompt) if span[0] < end]
    words: list[int | None] = [
        next((i for i, (start, stop) in enumerate(spans) if start <= first < stop), None) if first < last else None
        for first, last in places
    ]
    kept = sorted({word for word in words if word is not None})  # a sign between two letters may have no token
    denying = () if engine else _negations(prompt[slice(*span)].lower() for span in spans)
    strange = {} if engine else known.unknown(prompt[:end])
    return Reading(
        words=tuple(prompt[slice(*spans[word])] for word in kept),
        tokens=tuple(
            Token(
                id,
                prompt[slice(*place)] or tokenizer.convert_ids_to_tokens(id),
                None if word is None else kept.index(word),
            )
            for id, place, word in zip(ids, places, words, strict=True)
        ),
        cut_off=prompt[end:].strip(),
        unknown={word: near for word, near in strange.items() if word not in denying},
        negations=denying,
    )


def known_words(store: ModelStore) -> Lexicon:
    """What the checkpoint was taught; if it does not say, then the words for faces, which every one is taught."""
    checkpoint = store.checkpoint(CHECKPOINT)
    if WORDS not in checkpoint.files("assets"):
        return lexicon(())
    return Lexicon.from_json(checkpoint.read(WORDS))


def _negations(words: Iterable[str]) -> tuple[str, ...]:
    """Of a prompt's words those that deny, where it speaks of traits of a face.

    Captions say what is there and never what is not; a few emoji are called so, such as `no entry`.

    Args:
        words: in lower case; of `isn't` the parts `isn` and `t`.
    """
    said = list(words)
    if not any(DENIABLE.search(word) for word in said):
        return ()
    return tuple(dict.fromkeys(word for word in said if DENYING.match(word)))
