"""Style transfer judged by its own loss."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.photos import made_up_photos
from imagegen.data.pictures import Sources
from imagegen.data.styles import made_up_styles
from imagegen.errors import InputError
from imagegen.evaluation import style
from imagegen.models.perceptual import VGG_FILE, Vgg19
from imagegen.models.style import STYLE_WEIGHT, FastStyle, FeatureNetwork
from imagegen.store import ModelStore


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """Made-up photos and styles, and a VGG-19 of random weights, all as files."""
    folders = {
        "photos": made_up_photos() * 3,  # every 20th is kept back
        "styles/public-domain": made_up_styles(),
        "styles/training-only": made_up_styles(),
    }
    for folder, pictures in folders.items():
        (tmp_path / folder).mkdir(parents=True)
        for i, picture in enumerate(pictures):
            picture.save(tmp_path / folder / f"{i:02d}.png")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        vgg = Vgg19("relu3_1").state_dict()
    names = {key: key.replace("layers.relu", "conv") for key in vgg}
    save_file({names[key]: tensor for key, tensor in vgg.items()}, tmp_path / VGG_FILE)
    return Sources((tmp_path / "photos", tmp_path / "styles"), tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """Both style checkpoints, narrow and untrained."""
    card = Card("made up", "other", "noise")
    x = torch.zeros(1, 3, 32, 32)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        fast, features = FastStyle(code=8, width=12, blocks=1).eval(), FeatureNetwork(width=4).eval()
    config = {"class": "style.FastStyle", "args": {"code": 8, "width": 12, "blocks": 1}}
    example = {"photos": x, "paintings": x.clone()}
    codes = {f"{i:02d}": torch.full((8,), float(i)) for i in range(4)}
    write_checkpoint(tmp_path / "checkpoints" / "style-fast", fast, config, card, example, codes)
    config = {"class": "style.FeatureNetwork", "args": {"width": 4}}
    write_checkpoint(tmp_path / "checkpoints" / "style-features", features, config, card, {"x": x}, {})
    return ModelStore(tmp_path / "checkpoints", torch.device("cpu"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "SIDE", 32)
    monkeypatch.setattr(style, "ITERATIONS", 12)


def test_the_slow_way_is_far_ahead_of_an_untrained_network(store: ModelStore, sources: Sources) -> None:
    figures = style.evaluate_fast(store, "style-fast", sources, pairs=(2, 1))
    for kind in ("held-out styles", "named styles"):
        fast = figures[f"loss over that of 12 L-BFGS iterations, {kind}"]
        unchanged = figures[f"loss of the unchanged photo over the same, {kind}"]
        assert fast["value"] > 1.2
        assert unchanged["value"] > 1.2
        assert fast["how"].startswith(f"mean of 2 pairs, 2 held-out photos x 1 {kind} at 32²")
    assert figures["parameters"]["value"] == sum(p.numel() for p in store.get("style-fast").parameters())
    assert figures["speed over 12 Gatys iterations"]["value"] > 1


def test_a_named_style_is_judged_by_the_code_that_it_is_shipped_with(store: ModelStore, sources: Sources) -> None:
    figures = style.evaluate_fast(store, "style-fast", sources, pairs=(1, 1))
    judge, network = style.Judge(store.device, sources), store.get("style-fast")
    photo, painting, name = next(judge.pairs("named", 1, 1))
    code = store.asset("style-fast", name)[None]
    with torch.no_grad():
        fast = judge.loss(network.paint(photo, code), photo, painting)
    slow = judge.loss(style._slowly(judge.objective, photo, painting), photo, painting)
    measured = figures["loss over that of 12 L-BFGS iterations, named styles"]["value"]
    assert measured == pytest.approx(fast / slow, rel=1e-3)


def test_features_are_judged_by_what_is_painted_with_them(store: ModelStore, sources: Sources) -> None:
    figures = style.evaluate_features(store, "style-features", sources, pairs=(1, 1))
    over_vgg, over_unchanged, speed, parameters = (figure["value"] for figure in figures.values())
    assert over_unchanged < over_vgg  # VGG-19's own result is better than the photo
    assert speed > 0
    assert parameters < 100_000


def test_pairs_are_spread_over_photos_kept_back(sources: Sources) -> None:
    judge = style.Judge(torch.device("cpu"), sources)
    pairs = list(judge.pairs("named", 2, 2))
    assert len(pairs) == 4
    assert [name for _, _, name in pairs] == ["00", "02"] * 2
    kept_back = torch.cat([photo for photo, _, _ in pairs])
    assert kept_back.shape == (4, 3, 32, 32)
    assert torch.equal(kept_back[0], kept_back[1])
    assert not torch.equal(kept_back[0], kept_back[2])


def test_the_loss_is_content_and_weighted_style(sources: Sources) -> None:
    judge = style.Judge(torch.device("cpu"), sources)
    photo, painting, _ = next(judge.pairs("named", 1, 1))
    assert judge.loss(photo, photo, photo) == pytest.approx(0, abs=1e-9)
    style_alone, content_alone = judge.loss(photo, photo, painting), judge.loss(painting, photo, painting)
    contents, grams = judge.objective.measure(photo)
    content, texture = judge.objective.losses(painting, contents, grams)
    assert content_alone == pytest.approx(content.item(), rel=1e-3)
    assert style_alone == pytest.approx(STYLE_WEIGHT * texture.item(), rel=1e-3)


def test_missing_photos_are_asked_for(store: ModelStore, sources: Sources) -> None:
    with pytest.raises(InputError, match="--data"):
        style.evaluate_fast(store, "style-fast", Sources((), sources.features))
