"""What the recipes of the faces' autoencoder and of their judge learn from, and what their checkpoints carry."""

from collections.abc import Callable

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor

from imagegen.data.emoji import made_up_emoji
from imagegen.data.faces import ATTRIBUTES, kept_out, made_up_faces
from imagegen.data.pictures import Pictures, Sources
from imagegen.evaluation.features import in_batches
from imagegen.training import attributes
from imagegen.training.attributes import AttributesRecipe
from imagegen.training.autoencoder import EMOJI_COPIES, AutoencoderRecipe
from imagegen.training.recipe import Recipe, Step
from imagegen.training.recipes import build

pytestmark = pytest.mark.usefixtures("new_accelerator")


def losses(recipe: Recipe, pictures: Tensor, labels: Tensor, count: int, key: str) -> list[float]:
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    total = 10 * count
    return [
        float(recipe.step(pictures, labels, Step(accelerator, 0, index, total, len(pictures)))[key])
        for index in range(total // 4, total // 4 + count)
    ]


@pytest.fixture
def autoencoder() -> AutoencoderRecipe:
    recipe = build("face-autoencoder", "small", seed=0)
    assert isinstance(recipe, AutoencoderRecipe)
    return recipe


@pytest.fixture
def judge() -> AttributesRecipe:
    recipe = build("face-attributes", "small", seed=0)
    assert isinstance(recipe, AttributesRecipe)
    return recipe


def test_the_autoencoder_learns_from_faces_that_are_allowed_and_from_emoji(autoencoder: AutoencoderRecipe) -> None:
    people, (icons, _) = made_up_faces(), made_up_emoji()
    data = autoencoder.made_up_data()
    allowed = int((~kept_out(people.labels)).sum())
    assert 0 < allowed < len(people)
    assert len(data) == allowed + EMOJI_COPIES * len(icons)
    assert torch.equal(data.pixels[-len(icons) :], icons.pixels)


def test_copies_become_closer_to_the_eye_of_a_pixel_and_of_a_vgg(autoencoder: AutoencoderRecipe) -> None:
    pictures, labels = autoencoder.made_up_data()[:2]
    for network in autoencoder.frozen.values():
        assert not any(parameter.requires_grad for parameter in network.parameters())
    errors = losses(autoencoder, pictures, labels, 10, "error")
    assert errors[-1] < 0.8 * errors[0]


def test_moments_of_the_autoencoder_show_emoji_only(autoencoder: AutoencoderRecipe) -> None:
    autoencoder.made_up_data()
    icons, _ = made_up_emoji()
    shown = ((autoencoder.shown + 1) * 127.5).round().to(torch.uint8)
    assert all(any(torch.equal(picture, icon) for icon in icons.pixels) for picture in shown)
    assert autoencoder.preview().shape == (len(shown), 3, 64, 64)


def test_latents_are_standardised_when_published(
    autoencoder: AutoencoderRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AutoencoderRecipe, "load_data", lambda self, _: self.made_up_data().part(0, 40))
    before = autoencoder.average(autoencoder.made_up_data()[:2][0])
    (export,) = autoencoder.exports(Sources())
    latents = autoencoder.average.encode(autoencoder.made_up_data()[:40][0])
    assert torch.allclose(latents.mean(dim=(0, 2, 3)), torch.zeros(16), atol=1e-3)
    assert torch.allclose(latents.std(dim=(0, 2, 3)), torch.ones(16), atol=1e-3)
    assert torch.allclose(export.model(autoencoder.made_up_data()[:2][0]), before, atol=1e-3)


def test_the_judge_learns_what_can_be_seen(judge: AttributesRecipe) -> None:
    pictures, labels = made_up_faces()[:16]
    labels = (pictures.mean(dim=(1, 2, 3)) > pictures.mean()).to(torch.uint8)[:, None].expand(-1, len(ATTRIBUTES))
    measured = losses(judge, pictures, labels, 10, "loss")
    assert measured[-1] < 0.7 * measured[0]


def test_the_judge_never_trains_on_the_pairs_kept_out(judge: AttributesRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "faces", lambda root, split: made_up_faces())
    data = judge.load_data(Sources())
    assert 0 < len(data) < len(made_up_faces())
    assert not kept_out(data.labels).any()


def test_thresholds_are_of_equal_error_on_faces_kept_back(
    judge: AttributesRecipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def kept_back(root: object, split: str) -> Pictures:
        asked.append(split)
        return made_up_faces()

    monkeypatch.setattr(attributes, "faces", kept_back)
    (export,) = judge.exports(Sources())
    assert asked == ["validation"]
    people = made_up_faces()
    pictures, labels = people[~kept_out(people.labels)]
    above = in_batches(judge.average, pictures) > export.assets["thresholds"]
    for i in range(len(ATTRIBUTES)):
        has = labels[:, i].bool()
        missed, wrong = (~above[has, i]).float().mean().item(), above[~has, i].float().mean().item()
        assert missed == pytest.approx(wrong, abs=0.05)
    assert export.assets["separability"].shape == (len(ATTRIBUTES),)


@pytest.mark.parametrize(
    ("chance", "expected"),
    [
        ((0.9, 0.5, 0.5), lambda x: x),
        ((0.1, 0.5, 0.5), lambda x: x.flip(3)),
        ((0.9, 2 / 3, 0.5), lambda x: torch.cat([x[..., 1:], x[..., -1:]], dim=3)),
        ((0.9, 0.5, 2 / 3), lambda x: torch.cat([x[..., 1:, :], x[..., -1:, :]], dim=2)),
    ],
)
def test_faces_are_mirrored_and_shifted_and_their_edges_go_on(
    chance: tuple[float, float, float], expected: Callable[[Tensor], Tensor]
) -> None:
    pictures, _ = made_up_faces()[:2]
    moved = attributes._moved(pictures, torch.tensor([chance, chance]))
    assert torch.allclose(moved, expected(pictures), atol=1e-3)


def test_colours_change_by_the_channel_within_bounds() -> None:
    pictures, _ = made_up_faces()[:2]
    assert torch.allclose(attributes._recoloured(pictures, torch.full((2, 2, 3), 0.5)), pictures)
    brighter = attributes._recoloured(torch.zeros(1, 3, 4, 4), torch.tensor([[[0.5] * 3, [1.0, 0.5, 0.0]]]))
    assert brighter[0, :, 0, 0].tolist() == pytest.approx([attributes.MAX_LIGHT, 0, -attributes.MAX_LIGHT])
