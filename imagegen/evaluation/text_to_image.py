"""Does a prompted face show what was asked? A judge that was trained apart looks, and is held against real faces.

A judge errs on real faces too. So a figure is the share of the traits asked for that it sees, over the share that it
sees on real held-out faces that have them.
"""

import copy
import random
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from imagegen.checkpoints import ModelStore
from imagegen.data.captions import LANGUAGES, TRAITS, describe
from imagegen.data.faces import ATTRIBUTES, KEPT_OUT, faces, kept_out
from imagegen.data.pictures import Sources
from imagegen.devices import picture_noise
from imagegen.evaluation.digits import Figures
from imagegen.evaluation.features import as_saved, in_batches

__all__ = ["draw", "evaluate_text_to_image", "seen_share", "shown_over_real", "with_traits"]

JUDGE = "face-attributes"
COUNT, PAIR_COUNT = 1_140, 100
"""Prompts of 1 to 3 traits, and prompts of each kept-out pair."""
STEPS, GUIDANCE = 20, 4.0
BATCH = 60
SEED = 0
BAR = "≥ 0.75"


def evaluate_text_to_image(
    store: ModelStore, name: str, sources: Sources, count: int = COUNT, pair_count: int = PAIR_COUNT
) -> Figures:
    """Traits shown, over those that real faces show: of all prompts, in each language, each trait, each kept-out pair.

    Args:
        count: prompts of 1 to 3 traits, each trait in turn with others that a real face has beside it.
        pair_count: prompts of each pair that no network was trained on.
    """
    rng = random.Random(SEED)
    pixels, labels = _held_out_faces(sources)
    pairs = [_has_both(labels, pair) for pair in KEPT_OUT]
    plain = ~torch.stack(pairs).any(dim=0)
    real = seen_share(_seen(store, pixels[plain]), with_traits(labels[plain]))
    paired = [seen_share(_seen(store, pixels[both]), with_traits(labels[both])) for both in pairs]

    asked = torch.cat([_asked(with_traits(labels[plain]), count, rng), *(_pair(p, pair_count) for p in KEPT_OUT)])
    shares = torch.cat([real.expand(count, -1), *(share.expand(pair_count, -1) for share in paired)])
    languages = [LANGUAGES[i % len(LANGUAGES)] for i in range(len(asked))]
    drawn = draw(store.get(name), _prompts(asked, languages, rng))
    seen = _seen(store, drawn)

    def figure(rows: Tensor, traits: Tensor = torch.ones(len(TRAITS), dtype=torch.bool)) -> dict[str, Any]: ...
