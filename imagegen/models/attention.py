"""Cross-attention that can be watched: how much each place of a picture looks at each word of the prompt."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["AttentionRecorder", "WatchedAttention"]


class AttentionRecorder:
    """Belongs to one call of one request's network, and keeps what every cross-attention in it looked at.

    Args:
        row: of the batch, to watch it alone; all of it by default.
        side: maps are kept at most so large, which bounds the memory that a large picture takes.
    """

    def __init__(self, row: int | None = None, side: int | None = None) -> None:
        self.rows = slice(None) if row is None else slice(row, row + 1)
        self.side = side
        self.seen: list[Tensor] = []

    def watch(self, attn: Any, places: Tensor, words: Tensor) -> None:
        """Keep what `attn` looks at, (B, L, h, w)."""
        maps = _attention(attn, places[self.rows], words[self.rows])
        small = self.side is not None and maps.shape[-1] > self.side
        self.seen.append(F.adaptive_avg_pool2d(maps, self.side) if small else maps)

    def heat(self) -> Tensor:
        """Share of the attention that each place gives to each token, (B, L, h, w): over the tokens it sums to 1.

        The mean over heads and layers, coarser ones enlarged to the finest (Tang et al. 2022, "What the DAAM").
        """
        side = max(maps.shape[-1] for maps in self.seen)
        return torch.stack([F.interpolate(maps, (side, side), mode="bilinear") for maps in self.seen]).mean(dim=0)


class WatchedAttention:
    """diffusers' own attention, which also shows it to a request that brings a recorder.

    It is put into a U-Net once, where that is loaded: `cross_attention_kwargs={"recorder": recorder}` of a call then
    watches this call and no other. The maps are computed beside what is drawn, which stays the same to the bit.
    """

    def __init__(self) -> None:
        from diffusers.models.attention_processor import AttnProcessor2_0

        self.plain: Any = AttnProcessor2_0()  # type: ignore[no-untyped-call]

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        recorder: AttentionRecorder | None = None,
    ) -> Tensor:
        if recorder is not None and encoder_hidden_states is not None:
            recorder.watch(attn, hidden_states, encoder_hidden_states)
        return self.plain(attn, hidden_states, encoder_hidden_states, attention_mask, temb)  # type: ignore[no-any-return]


def _attention(attn: Any, places: Tensor, words: Tensor) -> Tensor:
    """Places (B, h * w, C) of a square grid, and words (B, L, D) -> mean attention of the heads, (B, L, h, w)."""
    query, key = attn.head_to_batch_dim(attn.to_q(places)), attn.head_to_batch_dim(attn.to_k(words))
    shares = attn.get_attention_scores(query, key).unflatten(0, (len(places), -1)).mean(dim=1)  # (B, h * w, L)
    side = round(places.shape[1] ** 0.5)
    return shares.transpose(1, 2).unflatten(2, (side, side))  # type: ignore[no-any-return]
