"""Words to pictures: a small Stable Diffusion (Rombach et al. 2022) of diffusers' and transformers' own parts.

What is ours is how the parts are made: a tokenizer that reads English by pieces of words and Chinese by characters,
and a text encoder and U-Net small enough to be trained from nothing.
"""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from imagegen.models.attention import AttentionRecorder
from imagegen.models.diffusion import betas, predict_noise, predict_x0

__all__ = [
    "BOS",
    "EOS",
    "LENGTH",
    "SCHEDULE",
    "VOCABULARY",
    "Guided",
    "TextToImage",
    "guided",
    "make_pipeline",
    "make_tokenizer",
    "token_ids",
]

SCHEDULE = "cosine"
"""Of the noise that the U-Net is trained on, one of `diffusion.SCHEDULES`."""
VOCABULARY = 8192
"""Tokens at most."""
LENGTH = 77
"""Tokens of every prompt, padded with `EOS`."""
BOS, EOS = 0, 1
_BOS, _EOS = "<|startoftext|>", "<|endoftext|>"
_END = "</w>"


def make_tokenizer(english: Iterable[str], chinese: Iterable[str]) -> Any:
    """A `CLIPTokenizer` for these captions.

    Every byte is a token, alone and at the end of a word, so that no text whatever is unknown. English merges are
    learned on the English captions alone; each Chinese character has merges of its own bytes and of no others, and
    so is one token. English fills what the characters leave of `VOCABULARY`.
    """
    from transformers import CLIPTokenizer

    alphabet = [*_BYTES, *(byte + _END for byte in _BYTES)]
    characters = _character_merges(chinese)
    room = VOCABULARY - len(alphabet) - len(characters) - 2
    merges = list(dict.fromkeys([*_word_merges(english)[:room], *characters]))
    tokens = dict.fromkeys([_BOS, _EOS, *alphabet, *(first + second for first, second in merges)])
    return CLIPTokenizer(
        vocab={token: i for i, token in enumerate(tokens)},
        merges=merges,  # type: ignore[arg-type]  # declared for strings, passed on to BPE, which takes pairs
        model_max_length=LENGTH,
        split_special_tokens=True,  # a visitor who types the end token gets its letters
    )


def token_ids(tokenizer: Any, captions: Sequence[str]) -> Tensor:
    """Captions as ids (N, LENGTH) int16, as the pipeline reads them: cut or padded with `EOS`."""
    ids = tokenizer(list(captions), padding="max_length", truncation=True, max_length=LENGTH)["input_ids"]
    return torch.tensor(ids, dtype=torch.int16)


def _byte_alphabet() -> list[str]:
    """The printable letter that byte-level BPE writes for each byte 0 to 255 (Radford et al. 2019)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = iter(range(256, 512))
    return [chr(byte if byte in plain else next(others)) for byte in range(256)]


_BYTES = _byte_alphabet()


def _character_merges(captions: Iterable[str]) -> list[tuple[str, str]]:
    """For each character of three or more bytes the merges that make it one token, within and at the end of a word."""
    merges: dict[tuple[str, str], None] = {}
    for character in sorted(set(unicodedata.normalize("NFC", "".join(captions)).lower())):
        letters = [_BYTES[byte] for byte in character.encode()]
        if len(letters) < 3:
            continue
        for i in range(1, len(letters)):
            merges["".join(letters[:i]), letters[i]] = None
        merges["".join(letters[:-1]), letters[-1] + _END] = None
    return list(merges)


def _word_merges(captions: Iterable[str]) -> list[tuple[str, str]]:
    """Merges of byte-level BPE learned on captions, the most frequent first."""
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer
    from transformers import CLIPTokenizer

    learner = Tokenizer(BPE(end_of_word_suffix=_END))
    splitting = CLIPTokenizer().backend_tokenizer
    learner.normalizer, learner.pre_tokenizer = splitting.normalizer, splitting.pre_tokenizer
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=_BYTES,
        special_tokens=[byte + _END for byte in _BYTES],  # named in order here, ties are broken the same every time
        end_of_word_suffix=_END,
    )
    learner.train_from_iterator(captions, trainer)
    return [(first, second) for first, second in json.loads(learner.to_str())["model"]["merges"]]


class TextToImage(nn.Module):
    """A CLIP text encoder, and a U-Net that attends to its words: noisy latents -> velocity.

    The U-Net also pools the words, and adds that to what says how noisy its input is (Saharia et al. 2022, section
    2.3): trained from nothing, it heeds a prompt far sooner than by cross-attention alone.

    Args:
        latent: channels, height and width of the latents.
        width, layers: of the text encoder.
        channels: of the U-Net at each resolution, multiples of 32.
        blocks: residual blocks at each resolution, each followed by a look at the words.
    """

    alphas_cumprod: Tensor

    def __init__(
        self,
        latent: Sequence[int] = (16, 8, 8),
        width: int = 192,
        layers: int = 3,
        channels: Sequence[int] = (96, 128),
        blocks: int = 1,
    ) -> None:
        from diffusers import UNet2DConditionModel
        from diffusers.models.attention_processor import AttnProcessor
        from transformers import CLIPTextConfig, CLIPTextModel

        super().__init__()
        self.latent = tuple(latent)
        self.register_buffer("alphas_cumprod", (1 - betas(SCHEDULE)).cumprod(0).float(), persistent=False)
        self.text_encoder: Any = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=VOCABULARY,
                hidden_act="gelu",
                hidden_size=width,
                intermediate_size=4 * width,
                projection_dim=width,
                num_hidden_layers=layers,
                num_attention_heads=width // 64,
                max_position_embeddings=LENGTH,
                bos_token_id=BOS,
                eos_token_id=EOS,
                pad_token_id=EOS,
            )
        )
        self.unet: Any = UNet2DConditionModel(  # type: ignore[no-untyped-call]
            sample_size=latent[1],
            in_channels=latent[0],
            out_channels=latent[0],
            block_out_channels=tuple(channels),
            layers_per_block=blocks,
            down_block_types=("CrossAttnDownBlock2D",) * len(channels),
            up_block_types=("CrossAttnUpBlock2D",) * len(channels),
            cross_attention_dim=width,
            addition_embed_type="text",
            addition_embed_type_num_heads=width // 32,
            resnet_time_scale_shift="scale_shift",
            attention_head_dim=tuple(channel // 32 for channel in channels),  # diffusers' name for the number of heads
        )
        # On a CPU the backward pass of torch's fused attention takes five times as long as this in bf16.
        self.text_encoder.set_attn_implementation("eager")
        self.unet.set_attn_processor(AttnProcessor())  # type: ignore[attr-defined]

    def read(self, input_ids: Tensor) -> Tensor:
        """Token ids (B, LENGTH) -> what each token says where it stands, (B, LENGTH, width)."""
        return self.text_encoder(input_ids).last_hidden_state  # type: ignore[no-any-return]

    def pool(self, words: Tensor) -> Tensor:
        """Words (B, LENGTH, width) -> what the whole prompt says, (B, 4 * channels[0])."""
        return self.unet.add_embedding(words)  # type: ignore[no-any-return]

    def forward(self, x_t: Tensor, timesteps: Tensor, words: Tensor) -> Tensor:
        """Noisy latents (B, C, H, W), timesteps (B,) and words (B, LENGTH, width) -> velocity (B, C, H, W)."""
        return self.unet(x_t, timesteps, words, return_dict=False)[0]  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Guided:
    """What the network sees in N noisy pictures, once for the prompts and once for the negative prompts.

    Args:
        noise_pred, pred_x0: (N, C, H, W).
        norms: root mean squares (N, 3) of v(negative), of v(prompt) and of how far they are apart.
        attention: to each token of the prompts, (N, LENGTH, h, w), as `AttentionRecorder.heat` has it.
    """

    noise_pred: Tensor
    pred_x0: Tensor
    norms: Tensor
    attention: Tensor


@torch.no_grad()
def guided(unet: Any, x_t: Tensor, left: Tensor, timestep: int, words: Tensor, guidance_scale: Tensor) -> Guided:
    """Both in one call, and then along the way from v(negative) to v(prompt) (Ho and Salimans 2022, eq. 6).

    Args:
        x_t: noisy latents (N, C, H, W).
        left: ᾱ of their noise level, (N,).
        words: encoded negative prompts and then prompts, (2 N, LENGTH, width).
        guidance_scale: how far, (N,): 0 is the negative prompt, 1 the prompt, more goes beyond it.
    """
    recorder = AttentionRecorder()
    kwargs = {"cross_attention_kwargs": {"recorder": recorder}, "return_dict": False}
    (both,) = unet(torch.cat([x_t, x_t]), torch.tensor(timestep, device=x_t.device), words, **kwargs)
    negative, asked = both.chunk(2)
    v = negative + guidance_scale[:, None, None, None] * (asked - negative)
    pred_x0 = predict_x0(x_t, v, left)
    norms = torch.stack([part.square().mean(dim=(1, 2, 3)).sqrt() for part in (negative, asked, asked - negative)], 1)
    return Guided(predict_noise(x_t, pred_x0, left), pred_x0, norms, recorder.heat().chunk(2)[1])


def make_pipeline(autoencoder: Any, model: TextToImage, tokenizer: Any) -> Any:
    """A `StableDiffusionPipeline` of these parts, without copies of them.

    Args:
        autoencoder: diffusers' `AutoencoderKL`, with the latents that `model` was trained on.
    """
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    scheduler = DDIMScheduler(  # type: ignore[no-untyped-call]
        beta_schedule="squaredcos_cap_v2",  # diffusers' name for cosine
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,  # of no effect on "trailing", but the pipeline warns of anything else
    )
    pipeline: Any = StableDiffusionPipeline(  # type: ignore[no-untyped-call]
        vae=autoencoder,
        text_encoder=model.text_encoder,
        tokenizer=tokenizer,
        unet=model.unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
