"""GANs without labels: a seed a picture, their own size, and what is refused."""

import pytest
import torch

from imagegen.devices import SEEDS
from imagegen.errors import InputError
from imagegen.store import ModelStore
from imagegen.tasks.classic_gan import DCGAN, FACES, MLP, ClassicGanRequest, run


@pytest.mark.parametrize(("checkpoint", "shape"), [(MLP, (1, 28, 28)), (DCGAN, (1, 28, 28)), (FACES, (3, 64, 64))])
def test_picture_i_is_that_of_seed_plus_i(checkpoint: str, shape: tuple[int, ...], store: ModelStore) -> None:
    (together,) = run(ClassicGanRequest(checkpoint, count=3, seed=SEEDS - 1), store)
    assert together.images.shape == (3, *shape)
    assert (together.index, together.total) == (1, 1)
    assert len({tuple(image.flatten().tolist()) for image in together.images}) == 3
    for i, seed in enumerate((SEEDS - 1, 0, 1)):
        (alone,) = run(ClassicGanRequest(checkpoint, count=1, seed=seed), store)
        assert torch.allclose(alone.images[0], together.images[i], atol=1e-6)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"checkpoint": "gan-mnist"}, "checkpoint must be one of gan-mnist-mlp, gan-mnist-dcgan, gan-celeba"),
        ({"count": 65}, "count must be a whole number from 1 to 64"),
        ({"count": float("nan")}, "count must be a whole number"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(values: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        ClassicGanRequest(**values)  # type: ignore[arg-type]
