"""The data and recipes of style transfer."""

import zipfile
from io import BytesIO
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from imagegen.cards import Card
from imagegen.checkpoints import Checkpoint, write_checkpoint
from imagegen.data.photos import made_up_photos
from imagegen.data.pictures import Sources
from imagegen.data.styles import made_up_styles, squares, styles
from imagegen.errors import InputError
from imagegen.models.perceptual import VGG_FILE, Vgg19
from imagegen.models.style import STYLE_WEIGHT, FastStyle, FeatureNetwork, Objective
from imagegen.store import ModelStore
from imagegen.training import style
from imagegen.training.recipe import Recipe, Step
from imagegen.training.recipes import build
from imagegen.training.style import FastStyleRecipe, Gallery, cut, recoloured, refined
from imagegen.training.style_features import StyleFeaturesRecipe

pytestmark = pytest.mark.usefixtures("new_accelerator")


@pytest.fixture
def step() -> Step:
    return a_step(0)


def a_step(index: int, batch: int = 8) -> Step:
    return Step(Accelerator(cpu=True, mixed_precision="no"), seed=0, index=index, total=20, batch=batch)


def weights(recipe: Recipe) -> dict[str, Tensor]:
    return {name: torch.cat([p.detach().flatten() for p in net.parameters()]) for name, net in recipe.networks.items()}


@pytest.fixture
def styles_root(tmp_path: Path) -> Path:
    """20 pictures of mixed terms in a zip and two named ones in a folder, each of one grey level."""
    with zipfile.ZipFile(tmp_path / "training-only.zip", "w") as archive:
        for level in range(20):
            file = BytesIO()
            Image.new("RGB", (40, 30), (level, level, level)).save(file, "PNG")
            archive.writestr(f"{level:02d}.png", file.getvalue())
    (tmp_path / "public-domain").mkdir()
    for name, level in (("monet-water-lilies-1919", 200), ("hokusai-great-wave-1831", 100)):
        Image.new("RGB", (30, 40), (level, level, level)).save(tmp_path / "public-domain" / f"{name}.png")
    return tmp_path


def test_every_eighth_style_is_held_out(styles_root: Path) -> None:
    train, test = styles(styles_root, "train"), styles(styles_root, "test")
    assert [*test] == ["00", "08", "16"]
    assert len(train) == 17
    assert not train.keys() & test.keys()
    assert train["09"].getpixel((0, 0)) == (9, 9, 9)
    assert [*styles(styles_root, "named")] == ["hokusai-great-wave-1831", "monet-water-lilies-1919"]


@pytest.mark.parametrize("root", [None, Path("nowhere")])
def test_styles_that_are_not_there_are_asked_for(root: Path | None) -> None:
    with pytest.raises(InputError, match="Give styles with --data"):
        styles(root, "named")


def test_a_square_is_the_middle_of_a_picture() -> None:
    wide = Image.new("RGB", (60, 20), "red")
    wide.paste("blue", (20, 0, 40, 20))
    pixels = squares([wide, wide.rotate(90, expand=True)], 10)
    assert pixels.shape == (2, 3, 10, 10)
    assert pixels.dtype == torch.uint8
    assert pixels[:, 2].min() > 235
    assert pixels[:, 0].max() < 20


def test_a_gallery_gives_named_paintings_and_others() -> None:
    levels = torch.arange(5, dtype=torch.uint8).view(5, 1, 1, 1).expand(5, 3, 4, 4)
    gallery = Gallery(levels[:2], levels[2:])
    named = torch.tensor([True, True, False, False, False])
    seen = gallery(named, torch.tensor([0.0, 0.99, 0.0, 0.5, 0.99]))
    torch.testing.assert_close(seen[:, 0, 0, 0], torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]) / 127.5 - 1)


def test_a_whole_cut_is_the_picture_or_its_mirror_image(step: Step) -> None:
    ramp = torch.linspace(-1, 1, 16).expand(8, 3, 16, 16)
    seen = cut(ramp, 16, 1.0, step)
    mirrored = seen[:, 0, 0, 0] > 0
    assert 0 < mirrored.sum() < 8
    torch.testing.assert_close(seen[~mirrored][..., 1:-1], ramp[~mirrored][..., 1:-1], atol=0.05, rtol=0)
    torch.testing.assert_close(seen[mirrored][..., 1:-1], ramp[mirrored].flip(3)[..., 1:-1], atol=0.05, rtol=0)


def test_cuts_are_parts_of_the_picture_of_many_sizes(step: Step) -> None:
    """On a ramp from -1 to 1 the range of a cut is its size."""
    ramp = torch.linspace(-1, 1, 64).expand(8, 3, 64, 64)
    seen = cut(ramp, 16, 1 / 8, step)
    assert seen.shape == (8, 3, 16, 16)
    sizes = (seen.amax(dim=(1, 2, 3)) - seen.amin(dim=(1, 2, 3))) / 2
    assert 0.09 < sizes.min() < 0.4
    assert 0.5 < sizes.max() <= 1


def test_half_of_the_pictures_keep_their_colours() -> None:
    pictures = torch.rand(64, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    seen = recoloured(pictures, a_step(0, batch=64))
    kept = torch.isclose(seen, pictures, atol=1e-6).all(dim=(1, 2, 3))
    assert 20 < kept.sum() < 44
    assert seen.abs().max() <= 1


def test_features_come_nearer_to_their_teachers() -> None:
    recipe = build("style-features", "small", seed=0)
    assert isinstance(recipe, StyleFeaturesRecipe)
    data = recipe.made_up_data()
    before = weights(recipe)
    told = [recipe.step(*data[:8], a_step(index)) for index in range(12)]
    assert [*told[0]] == [f"unexplained {layer}" for layer in ("relu1_1", "relu2_1", "relu3_1", "relu4_2", "relu5_1")]
    assert sum(told[-1].values()) < sum(told[1].values())
    assert all(not torch.equal(before[name], now) for name, now in weights(recipe).items())
    assert recipe.preview() is None


def test_teachers_speak_in_units() -> None:
    recipe = build("style-features", "small", seed=0)
    data = recipe.made_up_data()
    for seen in recipe.frozen["teachers"](data[:16][0]).values():
        assert seen.std().item() == pytest.approx(1, rel=1e-3)
        assert not seen.requires_grad


def test_fast_style_learns_and_leaves_its_judge_alone() -> None:
    recipe = build("style-fast", "small", seed=0)
    assert isinstance(recipe, FastStyleRecipe)
    data = recipe.made_up_data()
    judge = torch.cat([p.flatten() for p in recipe.frozen["vgg"].parameters()])
    start = weights(recipe)["network"]
    told = [recipe.step(*data[:4], a_step(index, batch=4)) for index in range(11)]
    assert told[0].keys() == {"content", "style", "over unchanged"}
    assert told[-1]["over unchanged"] < told[0]["over unchanged"]
    assert torch.equal(judge, torch.cat([p.flatten() for p in recipe.frozen["vgg"].parameters()]))
    now, average = weights(recipe)["network"], weights(recipe)["average"]
    assert 0 < (average - now).norm() < (start - now).norm()


def test_the_preview_paints_made_up_patterns_in_five_named_styles() -> None:
    recipe = build("style-fast", "small", seed=0)
    data = recipe.made_up_data()
    first = recipe.preview()
    assert first is not None
    assert first.shape == (10, 3, 128, 128)
    data.pixels.zero_()
    assert torch.equal(first, recipe.preview())


def test_the_checkpoint_knows_the_named_styles(
    styles_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(style, "PHOTO_SIDE", 64)
    monkeypatch.setitem(style.REFINING, "small", (6, 64))
    recipe = build("style-fast", "small", seed=0)
    recipe.networks["average"].half().float().eval()
    made_up_sources(tmp_path)
    (export,) = recipe.exports(Sources((tmp_path / "photos", styles_root), tmp_path))
    assert "non-commercial" in export.summary
    assert [*export.assets] == ["hokusai-great-wave-1831", "monet-water-lilies-1919"]
    config = {"class": export.class_name, "args": export.args}
    card = Card(export.summary, export.licence, export.data)
    write_checkpoint(tmp_path / "checkpoints" / export.name, export.model, config, card, export.example, export.assets)
    store = ModelStore(tmp_path / "checkpoints", torch.device("cpu"))
    network = store.get("style-fast")
    assert isinstance(network, FastStyle)
    lilies = squares([styles(styles_root, "named")["monet-water-lilies-1919"]], 64) / 127.5 - 1
    own, code = network.encode(lilies)[0], store.asset("style-fast", "monet-water-lilies-1919")
    assert 0 < (code - own).norm() < own.norm()
    assert export.details["start"] == "nothing"
    assert "half of that" in export.details["side"]


def made_up_sources(folder: Path) -> None:
    """Three photos, and a VGG-19 that has learned nothing."""
    (folder / "photos").mkdir()
    for i, photo in enumerate(made_up_photos()[:3]):
        photo.save(folder / "photos" / f"{i}.png")
    vgg = Vgg19("relu3_1").state_dict()
    save_file({key.replace("layers.relu", "conv"): tensor for key, tensor in vgg.items()}, folder / VGG_FILE)


def test_fast_style_goes_on_from_an_earlier_one(
    styles_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = Sources((tmp_path / "photos", styles_root, tmp_path / "style-fast"), tmp_path)
    made_up_sources(tmp_path)
    earlier = FastStyle().eval()
    config = {"class": "style.FastStyle", "args": {}}
    card = Card("Made up.", "other", "noise", {"commit": "abc", "steps": 1_000, "batch": 8})
    pictures = {"photos": torch.zeros(1, 3, 64, 64), "paintings": torch.zeros(1, 3, 64, 64)}
    write_checkpoint(tmp_path / "style-fast", earlier, config, card, pictures, {})
    monkeypatch.setitem(style.REFINING, "small", (1, 32))
    recipe = build("style-fast", "small", seed=0)
    recipe.load_data(sources)
    shipped = Checkpoint(tmp_path / "style-fast").load().state_dict()
    for network in recipe.networks.values():
        assert all(torch.equal(tensor, shipped[key]) for key, tensor in network.state_dict().items())
    sides: list[int] = []
    monkeypatch.setattr(style, "cut", lambda pictures, side, *_: sides.append(side) or pictures[..., :64, :64])
    recipe.step(torch.zeros(4, 3, 64, 64), torch.zeros(4), a_step(0, batch=4))
    assert sides[0] == recipe.side == 128
    monkeypatch.setattr(style, "PHOTO_SIDE", 32)
    (export,) = recipe.exports(sources)
    assert export.details["start"] == "style-fast of commit abc, after 1,000 steps of 8"
    assert export.details["side"] == "128 pixels"


def test_refined_codes_paint_nearer_to_their_paintings() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network, vgg = FastStyle(code=16, width=12, blocks=1).requires_grad_(False), Vgg19("relu3_1")
    objective = Objective(vgg.requires_grad_(False))
    photos, paintings = squares(made_up_photos()[:3], 32) / 127.5 - 1, squares(made_up_styles()[:2], 32) / 127.5 - 1
    before = [parameter.clone() for parameter in network.parameters()]
    codes = refined(network, objective, paintings, photos, steps=16)
    contents, _ = objective.measure(photos)

    def loss(code: Tensor, painting: Tensor) -> float:
        _, grams = objective.measure(painting[None])
        content, texture = objective.losses(network.paint(photos, code.expand(3, -1)), contents, grams)
        return (content + STYLE_WEIGHT * texture).mean().item()

    for code, own, painting in zip(codes, network.encode(paintings), paintings, strict=True):
        assert loss(code, painting) < 0.99 * loss(own, painting)
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    assert torch.equal(codes, refined(network, objective, paintings, photos, steps=16))


def test_the_loaded_feature_network_is_the_trained_one_without_batch_norms(tmp_path: Path) -> None:
    recipe = build("style-features", "small", seed=0)
    recipe.networks["network"].half().float().eval()
    (export,) = recipe.exports(Sources())
    config = {"class": export.class_name, "args": export.args}
    card = Card(export.summary, export.licence, export.data)
    write_checkpoint(tmp_path / export.name, export.model, config, card, export.example, export.assets)
    loaded = ModelStore(tmp_path, torch.device("cpu")).get("style-features")
    assert isinstance(loaded, FeatureNetwork)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in loaded.modules())
    x = squares(made_up_styles()[:1], 64) / 127.5 - 1
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), export.model(x), atol=1e-4, rtol=1e-3)
