"""A tiny untrained text-to-image pipeline that was taught a few words."""

from pathlib import Path

import torch

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.captions import lexicon
from imagegen.data.emoji import made_up_emoji
from imagegen.devices import picture_noise
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.text import TextToImage, make_pipeline, make_tokenizer, token_ids

__all__ = ["add_text_checkpoint"]

ENGLISH = ["a smiling young woman with blond hair and glasses", "an emoji of a red heart", "a sun"] * 2
CHINESE = ["戴眼镜的微笑的金发女士", "红心的表情符号", "太阳"]


def add_text_checkpoint(folder: Path) -> None:
    """Write sd-mini into `folder`; the picture hangs on every word."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(11)
        model = TextToImage(width=64, layers=1, channels=(32, 32)).eval()
        autoencoder = FaceAutoencoder(channels=(4, 4, 8, 8)).eval()
    tokenizer = make_tokenizer(ENGLISH, CHINESE)
    example = {
        "input_ids": token_ids(tokenizer, [ENGLISH[0], CHINESE[0]]).long(),
        "x_t": picture_noise(0, 2, *model.latent),
        "timesteps": torch.tensor([999, 400]),
    }
    card = Card("Made up.", "other", "noise", {"command": "none", "seed": 0}, {})
    pipeline = make_pipeline(autoencoder.vae, model, tokenizer)
    checkpoint = write_checkpoint(folder / "sd-mini", pipeline, {}, card, example, {})
    checkpoint.add("assets/words.json", lexicon(made_up_emoji()[1]).to_json().encode())
