"""What was asked against what the judge sees: known answers, and a whole evaluation on made-up faces."""

import io
import math
import random
import re
from dataclasses import replace

import pytest
import torch
from made_up_data import TEST_FACES, write_sources
from PIL import Image
from safetensors.torch import save_file

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.captions import TRAITS
from imagegen.data.emoji import emoji
from imagegen.data.faces import ATTRIBUTES, KEPT_OUT, faces
from imagegen.data.pictures import Pictures, Sources
from imagegen.evaluation import text_to_image
from imagegen.evaluation.text_to_image import (
    SHEET,
    draw,
    evaluate_text_to_image,
    recognised,
    seen_share,
    sheet,
    shown_over_real,
    with_traits,
)
from imagegen.models.attributes import FaceAttributes
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.perceptual import SQUEEZENET_FILE, SqueezeNet
from imagegen.models.text import TextToImage, make_pipeline, make_tokenizer, token_ids
from imagegen.store import ModelStore

CARD = Card("Made up.", "other", "noise")
COUNT, PAIR_COUNT = 2 * len(TRAITS), 4


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Made-up faces and emoji, and an untrained SqueezeNet."""
    features = tmp_path_factory.mktemp("features")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        weights = {key: value for key, value in SqueezeNet().state_dict().items() if key.startswith("features")}
    save_file(weights, features / SQUEEZENET_FILE)
    return replace(write_sources(tmp_path_factory.mktemp("data")), features=features)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, sources: Sources) -> ModelStore:
    """An untrained judge with its thresholds, and an untrained pipeline of the smallest networks."""
    folder = tmp_path_factory.mktemp("checkpoints")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        judge = FaceAttributes(width=4).eval()
        autoencoder = FaceAutoencoder(channels=(4, 4, 4, 4)).eval()
        model = TextToImage(width=64, layers=1, channels=(32, 32)).eval()
    with torch.no_grad():
        thresholds = judge(faces(sources.root(), "test")[:][0]).median(dim=0).values
    write_checkpoint(
        folder / "face-attributes",
        judge,
        {"class": "attributes.FaceAttributes", "args": {"width": 4}},
        CARD,
        {"x": torch.zeros(2, 3, 64, 64)},
        {"thresholds": thresholds},
    )
    tokenizer = make_tokenizer(["a woman with glasses"], ["戴眼镜的女士"])
    example = {
        "input_ids": token_ids(tokenizer, ["a"]).long(),
        "x_t": torch.zeros(1, 16, 8, 8),
        "timesteps": torch.tensor([5]),
    }
    write_checkpoint(folder / "sd-mini", make_pipeline(autoencoder.vae, model, tokenizer), {}, CARD, example, {})
    return ModelStore(folder, torch.device("cpu"))


def test_with_traits_says_both_ends_of_an_attribute() -> None:
    labels = torch.zeros(2, len(ATTRIBUTES))
    labels[1] = 1
    names = [trait.name for trait in TRAITS]
    nobody, everything = with_traits(labels)
    assert [name for name, there in zip(names, nobody, strict=True) if there] == ["beard", "woman", "older"]
    assert [name for name, there in zip(names, everything, strict=True) if not there] == ["beard", "woman", "older"]


def test_shown_over_real_counts_only_what_was_asked() -> None:
    asked = torch.tensor([[True, True, False], [True, False, False]])
    seen = torch.tensor([[True, False, True], [True, True, True]])
    assert shown_over_real(seen, asked, torch.tensor([1.0, 1.0, 0.1])) == pytest.approx(2 / 3)
    assert shown_over_real(seen, asked, torch.tensor([0.5, 0.5, 0.1])) == pytest.approx(4 / 3)
    assert shown_over_real(seen, asked, torch.tensor([0.8, 0.4, 0.1])) == pytest.approx(1)


def test_real_faces_show_as_much_as_real_faces(store: ModelStore, sources: Sources) -> None:
    people = faces(sources.root(), "test")
    share = seen_share(store, people)
    thresholds = store.asset("face-attributes", "thresholds")
    seen = with_traits(store.get("face-attributes")(people[:][0]) > thresholds)
    has = with_traits(people.labels)
    for i in range(len(TRAITS)):
        assert share[i] == pytest.approx((seen[has[:, i], i]).float().mean().item())
    assert shown_over_real(seen, has, share) == pytest.approx(1)


def test_a_trait_that_no_real_face_has_is_held_against_all(store: ModelStore) -> None:
    people = Pictures(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), torch.zeros(2, len(ATTRIBUTES)))
    share = seen_share(store, people)
    assert share[[trait.name for trait in TRAITS].index("hat")] == 1


def test_every_trait_is_asked_for_in_both_languages_with_what_goes_with_it(sources: Sources) -> None:
    has = with_traits(faces(sources.root(), "test").labels)
    asked = text_to_image._asked(has, 4 * len(TRAITS), random.Random(0))
    turn = torch.arange(4 * len(TRAITS)) // 2 % len(TRAITS)
    assert asked[torch.arange(len(asked)), turn].all()
    assert set(asked.sum(dim=1).tolist()) == {1, 2, 3}
    for row in asked:
        assert (has | ~row).all(dim=1).any(), "some real face has all of it"


def test_a_picture_is_the_same_in_any_batch(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_to_image, "STEPS", 2)
    prompts = ["a woman", "戴眼镜的女士", "a man"]
    together = draw(store.get("sd-mini"), prompts)
    assert together.shape == (3, 3, 64, 64)
    monkeypatch.setattr(text_to_image, "BATCH", 2)
    assert torch.allclose(draw(store.get("sd-mini"), prompts), together, atol=1.1 / 127.5)
    assert store.get("sd-mini").scheduler.num_inference_steps is None, "the stored pipeline stays as it was"


def test_a_whole_evaluation(store: ModelStore, sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_to_image, "STEPS", 1)
    figures = evaluate_text_to_image(store, "sd-mini", sources, COUNT, PAIR_COUNT)
    assert len(figures) == 3 + len(TRAITS) + len(KEPT_OUT) + 2 + 2
    assert all(math.isfinite(figure["value"]) and figure["value"] >= 0 for figure in figures.values())
    assert figures["shown as asked"]["how"].startswith(f"{COUNT} prompts")
    assert figures["shown as asked, Chinese"]["how"].startswith(f"{COUNT // 2} prompts")
    assert figures["shown as asked, Eyeglasses with Blond_Hair"]["how"].startswith(f"{PAIR_COUNT} prompts")
    assert figures["emoji recognised, Chinese"]["how"].startswith("2 names people think of first, nearest of 24 real")
    assert evaluate_text_to_image(store, "sd-mini", sources, COUNT, PAIR_COUNT) == figures


def test_dark_glasses_are_counted_where_they_are_drawn(
    store: ModelStore, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(pipeline: object, prompts: list[str]) -> torch.Tensor:
        faces = torch.full((len(prompts), 3, 64, 64), 0.2)
        for face, prompt in zip(faces, prompts, strict=True):
            if re.search("sunglasses|dark|墨镜|太阳镜", prompt):
                face[:, 30:38] = -0.9
        return faces

    everyone = torch.ones(10, len(TRAITS), dtype=torch.bool)
    monkeypatch.setattr(text_to_image, "draw", drawn)
    monkeypatch.setattr(text_to_image, "_traits_seen", lambda store, pictures: everyone[: len(pictures)])
    people, _ = text_to_image._real_faces(sources)
    figures = text_to_image._glasses_figures(store, "sd-mini", people, 10)
    assert [figure["value"] for figure in figures.values()] == [1, 0]
    monkeypatch.setattr(text_to_image, "_traits_seen", lambda store, pictures: ~everyone[: len(pictures)])
    assert [f["value"] for f in text_to_image._glasses_figures(store, "sd-mini", people, 10).values()] == [0, 0]


def test_what_is_drawn_is_named_by_the_real_one_most_like_it() -> None:
    real = torch.tensor([[1.0, 0], [0, 1], [-1, 0]])
    drawn = torch.tensor([[9.0, 1], [1, 9], [-0.1, 0.01], [2, 1]])
    names = ["sun", "cat", "sun"]
    assert recognised(drawn, ["sun", "cat", "sun", "sun"], real, names) == 4
    assert recognised(drawn, ["cat", "cat", "cat", "cat"], real, names) == 1


def test_emoji_as_real_ones_are_all_recognised(
    store: ModelStore, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    icons, facts = emoji(sources.root(1), "train")
    asked: list[str] = []

    def copied(pipeline: object, prompts: list[str]) -> torch.Tensor:
        asked.extend(prompts)
        by_name = {name: i for i, fact in enumerate(facts) for name in (fact.name, fact.name_zh)}
        return icons[torch.tensor([by_name[p.removesuffix(" emoji").removesuffix("的表情符号")] for p in prompts])][0]

    monkeypatch.setattr(text_to_image, "draw", copied)
    figures = text_to_image._emoji_figures(store, "sd-mini", sources)
    assert [figure["value"] for figure in figures.values()] == [1, 1]
    assert asked == ["red heart emoji", "sun emoji", "红心的表情符号", "太阳的表情符号"]


def test_pictures_that_show_all_reach_what_real_faces_reach(
    store: ModelStore, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def see_all_that_was_asked(store: ModelStore, name: str, wanted: torch.Tensor, *_: object) -> torch.Tensor:
        asked.append(wanted)
        return wanted

    monkeypatch.setattr(text_to_image, "_drawn_and_seen", see_all_that_was_asked)
    monkeypatch.setattr(text_to_image, "seen_share", lambda store, people: torch.full((len(TRAITS),), 0.5))
    figures = evaluate_text_to_image(store, "sd-mini", sources, COUNT, PAIR_COUNT)
    assert all(figure["value"] == pytest.approx(2) for name, figure in figures.items() if name.startswith("shown"))
    assert [int(pair.sum(dim=1).unique()) for pair in asked[1:]] == [2, 2, 2]


def test_the_faces_held_against_were_not_trained_on(sources: Sources) -> None:
    plain, paired = text_to_image._real_faces(sources)
    assert 0 < len(plain) < TEST_FACES
    glasses = ATTRIBUTES.index("Eyeglasses")
    for (_, second), people in paired.items():
        assert len(people) > 0
        assert people.labels[:, [glasses, ATTRIBUTES.index(second)]].all()
        assert not (plain.labels[:, [glasses, ATTRIBUTES.index(second)]].all(dim=1)).any()


def test_a_sheet_has_a_picture_for_each_of_its_prompts(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def noted(pipeline: object, prompts: list[str]) -> torch.Tensor:
        drawn.extend(prompts)
        return torch.zeros(len(prompts), 3, 64, 64)

    monkeypatch.setattr(text_to_image, "draw", noted)
    with Image.open(io.BytesIO(sheet(store, "sd-mini"))) as picture:
        assert picture.format == "WEBP"
        assert picture.width // 64 == 10
        assert picture.height // 64 == 4
    assert len(set(drawn)) == 40
    assert drawn == list(SHEET)
    assert sum(prompt.isascii() for prompt in drawn) == 20
