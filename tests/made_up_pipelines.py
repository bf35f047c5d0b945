"""Tiny untrained pipelines of diffusers' own classes, as their makers would save them."""

from pathlib import Path
from typing import Any

import torch
from made_up_words import CHINESE, ENGLISH

from imagegen.models.text import BOS, EOS, LENGTH, VOCABULARY, make_tokenizer

__all__ = ["add_sd", "add_sdxl", "sd"]

SIDE = 64
"""Pixels of their pictures, of which a latent has 2 by 2."""


def add_sd(folder: Path, checker: bool = False, **saving: Any) -> Path:
    """A `StableDiffusionPipeline`; with `checker`, its safety checker flags whatever it sees."""
    sd(checker).save_pretrained(folder, **saving)
    return folder


def sd(checker: bool = False) -> Any:
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(5)
        pipeline: Any = StableDiffusionPipeline(
            vae=_vae(),
            text_encoder=_text_encoder(with_projection=False),
            tokenizer=make_tokenizer(ENGLISH, CHINESE),
            unet=_unet(cross_attention_dim=32),
            scheduler=PNDMScheduler(beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1),
            safety_checker=_checker() if checker else None,
            feature_extractor=_feature_extractor() if checker else None,
            requires_safety_checker=checker,
        )
    return pipeline


def add_sdxl(folder: Path) -> Path:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(6)
        pipeline: Any = StableDiffusionXLPipeline(
            vae=_vae(),
            text_encoder=_text_encoder(with_projection=False),
            text_encoder_2=_text_encoder(with_projection=True),
            tokenizer=make_tokenizer(ENGLISH, CHINESE),
            tokenizer_2=make_tokenizer(ENGLISH, CHINESE),
            unet=_unet(
                cross_attention_dim=64,
                addition_embed_type="text_time",
                addition_time_embed_dim=8,
                projection_class_embeddings_input_dim=6 * 8 + 32,
            ),
            scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
        )
    pipeline.save_pretrained(folder)
    return folder


def _unet(**options: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=SIDE // 2,
        block_out_channels=(32, 32),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=2,
        **options,
    )


def _vae() -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=SIDE,
    )


def _text_encoder(with_projection: bool) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=LENGTH,
        bos_token_id=BOS,
        eos_token_id=EOS,
        pad_token_id=EOS,
    )
    return (CLIPTextModelWithProjection if with_projection else CLIPTextModel)(config)


def _checker() -> Any:
    """Its thresholds are so low that every picture is above them."""
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPTextConfig, CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=16,
        projection_dim=32,
    )  # fmt: skip
    text = CLIPTextConfig(
        vocab_size=10, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2
    )
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=32)
    checker: Any = StableDiffusionSafetyChecker(config)
    checker.concept_embeds_weights.data.fill_(-2)
    return checker


def _feature_extractor() -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
