"""Attention that is watched: for those who ask, from what really ran, and without a trace in the picture."""

from typing import Any

import pytest
import torch
from torch import Tensor

from imagegen.devices import picture_noise
from imagegen.models.attention import AttentionRecorder
from imagegen.store import ModelStore


@pytest.fixture(scope="module")
def pipeline(store: ModelStore) -> Any:
    return store.get("sd-mini")


@pytest.fixture(scope="module")
def words(pipeline: Any) -> Tensor:
    return torch.randn(2, 77, pipeline.unet.config.cross_attention_dim, generator=torch.Generator().manual_seed(0))


def look(pipeline: Any, words: Tensor, **kwargs: Any) -> Tensor:
    x = picture_noise(0, 2, 16, 8, 8)
    with torch.no_grad():
        return pipeline.unet(x, 500, words, return_dict=False, **kwargs)[0]  # type: ignore[no-any-return]


def test_it_sums_to_one_over_the_tokens_at_every_place(pipeline: Any, words: Tensor) -> None:
    recorder = AttentionRecorder()
    look(pipeline, words, cross_attention_kwargs={"recorder": recorder})
    heat = recorder.heat()
    assert heat.shape == (2, 77, 8, 8)
    assert heat.min() > 0
    assert torch.allclose(heat.sum(dim=1), torch.ones(2, 8, 8), atol=1e-5)


def test_every_cross_attention_is_seen_at_its_own_resolution(pipeline: Any, words: Tensor) -> None:
    recorder = AttentionRecorder()
    look(pipeline, words, cross_attention_kwargs={"recorder": recorder})
    blocks = [name for name in pipeline.unet.attn_processors if "attn2" in name]
    assert len(recorder.seen) == len(blocks)
    assert {maps.shape[-1] for maps in recorder.seen} == {4, 8}


def test_the_maps_are_those_of_the_layer(pipeline: Any) -> None:
    """Against attention as the paper writes it, softmax(q k^T / sqrt(d)), for one layer."""
    block = pipeline.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn2
    places = torch.randn(1, 64, block.to_q.in_features, generator=torch.Generator().manual_seed(1))
    words = torch.randn(1, 77, block.to_k.in_features, generator=torch.Generator().manual_seed(2))
    recorder = AttentionRecorder()
    with torch.no_grad():
        block(places, words, recorder=recorder)
        q = block.to_q(places).view(64, block.heads, -1).transpose(0, 1)
        k = block.to_k(words).view(77, block.heads, -1).transpose(0, 1)
        expected = (q @ k.transpose(1, 2) / q.shape[-1] ** 0.5).softmax(dim=-1).mean(dim=0)  # (64, 77)
    assert torch.allclose(recorder.heat()[0].flatten(1).T, expected, atol=1e-5)


def test_watching_changes_no_bit_and_nothing_is_kept_unasked(pipeline: Any, words: Tensor) -> None:
    recorder = AttentionRecorder()
    plain = look(pipeline, words)
    watched = look(pipeline, words, cross_attention_kwargs={"recorder": recorder})
    count = len(recorder.seen)
    assert torch.equal(plain, watched)
    assert torch.equal(plain, look(pipeline, words))
    assert len(recorder.seen) == count
