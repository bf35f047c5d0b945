"""`sd-mini` from captions to a folder that plain diffusers opens."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from made_up_data import TRAINING_FACES, write_sources
from torch import Tensor

from imagegen.cards import Card
from imagegen.checkpoints import Checkpoint, write_checkpoint
from imagegen.data.emoji import emoji
from imagegen.data.faces import ATTRIBUTES, faces, kept_out
from imagegen.data.pictures import Pictures, Sources
from imagegen.errors import CheckpointError, InputError
from imagegen.images import open_picture, to_tensor
from imagegen.models.autoencoder import FaceAutoencoder
from imagegen.models.text import LENGTH
from imagegen.recipes import read_recipe
from imagegen.store import ModelStore
from imagegen.tasks.registry import replay, verify
from imagegen.tasks.text_to_image import TextToImageRequest, known_words
from imagegen.training import text_to_image
from imagegen.training.diffusion import denoising_loss
from imagegen.training.loop import Options, train
from imagegen.training.publish import publish
from imagegen.training.recipe import Step, came_from
from imagegen.training.recipes import build
from imagegen.training.run import Run
from imagegen.training.text_to_image import CAPTIONS, EMOJI_SHARE, PROMPTS, WELL_KNOWN_COPIES, TextToImageRecipe

CPU = torch.device("cpu")
OPTIONS = {"steps": 2, "batch": 8, "device": "cpu", "precision": "no"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Made-up data, and an untrained autoencoder among the checkpoints."""
    sources = write_sources(tmp_path_factory.mktemp("data"))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        autoencoder = FaceAutoencoder().eval()
    card = Card("Made up.", "other", "noise")
    config = {"class": "autoencoder.FaceAutoencoder", "args": {}}
    write_checkpoint(
        sources.checkpoints / "face-autoencoder", autoencoder, config, card, {"x": torch.zeros(1, 3, 64, 64)}, {}
    )
    return sources


@pytest.fixture(scope="module")
def recipe(sources: Sources) -> TextToImageRecipe:
    recipe = build("sd-mini", "small", seed=0)
    assert isinstance(recipe, TextToImageRecipe)
    return recipe


@pytest.fixture(scope="module")
def data(recipe: TextToImageRecipe, sources: Sources) -> Pictures:
    return recipe.load_data(sources)


@pytest.fixture(scope="module")
def run(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two steps on what lies on disk."""
    recipe = build("sd-mini", "small", seed=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_to_image, "PREVIEW_STEPS", 1)
        run = train(recipe, recipe.load_data(sources), Options(tmp_path_factory.mktemp("run"), seed=3, **OPTIONS))
    AcceleratorState._reset_state(reset_partial_state=True)
    return run


@pytest.fixture(scope="module")
def published(run: Run, sources: Sources) -> Checkpoint:
    (checkpoint,) = publish(run.folder, sources.checkpoints, sources)
    return checkpoint


def one_step(recipe: TextToImageRecipe, pictures: Tensor, labels: Tensor, index: int = 0) -> float:
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    return recipe.step(pictures, labels, Step(accelerator, 0, index, 100, len(pictures)))["loss"].item()


def test_what_is_trained_on(recipe: TextToImageRecipe, data: Pictures, sources: Sources) -> None:
    people = faces(sources.root(0), "train")
    allowed = int((~kept_out(people.labels)).sum())
    assert 0 < allowed < TRAINING_FACES
    assert data.pixels.dtype == torch.float16
    assert data.pixels.shape[1:] == (16, 8, 8)
    assert data.labels.shape == (len(data), CAPTIONS, LENGTH)
    hard = people.labels[
        :, [ATTRIBUTES.index(name) for name in ("Eyeglasses", "Wearing_Earrings", "Brown_Hair", "Gray_Hair")]
    ]
    twice = int((hard.any(dim=1) & ~kept_out(people.labels)).sum())
    shown = allowed + twice
    assert 0 < twice < allowed
    icons = len(data) - 2 * shown
    once = 24 * WELL_KNOWN_COPIES + 12
    assert icons % once == 0, "two well-known names and another, and not the one held out"
    assert abs(icons - 2 * shown * EMOJI_SHARE / (1 - EMOJI_SHARE)) <= once / 2
    assert torch.equal(data.labels[:shown], data.labels[shown : 2 * shown]), "mirrored faces, same captions"
    assert len(data.pixels[:shown].flatten(1).unique(dim=0)) == allowed
    autoencoder = recipe.frozen["autoencoder"]
    assert not any(parameter.requires_grad for parameter in autoencoder.parameters())
    face, _ = people[(~kept_out(people.labels)).nonzero()[:1, 0]]
    assert torch.allclose(data.pixels[:1].float(), autoencoder.encode(face), atol=0.01)
    assert torch.allclose(data.pixels[shown : shown + 1].float(), autoencoder.encode(face.flip(3)), atol=0.01)


def test_it_goes_on_from_an_earlier_one(
    published: Checkpoint, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_to_image, "make_tokenizer", None)
    later = build("sd-mini", "small", seed=5)
    assert isinstance(later, TextToImageRecipe)
    data = later.load_data(replace(sources, data=(*sources.data, published.folder)))
    pipeline = published.load()
    for network in (later.model, later.average):
        for ours, theirs in ((network.text_encoder, pipeline.text_encoder), (network.unet, pipeline.unet)):
            assert all(torch.equal(tensor, theirs.state_dict()[key]) for key, tensor in ours.state_dict().items())
    assert later.tokenizer.get_vocab() == pipeline.tokenizer.get_vocab()
    assert len(data)
    (export,) = later.exports(replace(sources, data=(*sources.data, published.folder)))
    assert export.details["start"].endswith("after 2 steps of 8")


def test_a_start_that_was_stopped_says_so(tmp_path: Path) -> None:
    kept = {"commit": "abc", "steps": "5 of 10 planned", "batch": 8, "start": "nothing"}
    card = Card("Made up.", "other", "noise", kept)
    args = {"channels": (4, 4, 4, 8), "latent_channels": 2}
    model = FaceAutoencoder(**args).eval()
    config = {"class": "autoencoder.FaceAutoencoder", "args": args}
    write_checkpoint(tmp_path / "sd-mini", model, config, card, {"x": torch.zeros(1, 3, 64, 64)}, {})
    said = came_from("sd-mini", Checkpoint(tmp_path / "sd-mini"))
    assert said == "sd-mini of commit abc, after 5 of 10 planned steps of 8"


def test_some_captions_are_disturbed_and_tokens_are_made_for_none_of_those() -> None:
    plain = [["a smiling woman", "微笑的女士"] * 4] * 500
    disturbed = text_to_image._disturbed(plain)
    pairs = [pair for rows in zip(plain, disturbed, strict=True) for pair in zip(*rows, strict=True)]
    assert abs(sum(a != b for a, b in pairs) / len(pairs) - text_to_image.DISTURBED) < 0.02
    assert all(b.isascii() == a.isascii() for a, b in pairs)
    assert text_to_image._disturbed(plain) == disturbed
    few, many = (text_to_image._tokenizer(captions) for captions in (plain, disturbed))
    assert len(few) < len(many) - 500, "so many characters are in nothing but made-up words"


def test_captions_come_in_both_languages(recipe: TextToImageRecipe, data: Pictures) -> None:
    said = [recipe.tokenizer.decode(ids, skip_special_tokens=True) for ids in data.labels[0]]
    assert all(caption.isascii() for caption in said[::2])
    assert not any(caption.isascii() for caption in said[1::2])
    assert len(set(said)) > CAPTIONS // 2


def test_the_words_make_a_difference_unless_they_are_left_out(
    data: Pictures, monkeypatch: pytest.MonkeyPatch, new_accelerator: None
) -> None:
    def losses(unsaid: float) -> list[float]:
        monkeypatch.setattr(text_to_image, "UNSAID", unsaid)
        results = []
        for start in (0, 20):
            recipe = build("sd-mini", "small", seed=1)
            assert isinstance(recipe, TextToImageRecipe)
            results.append(one_step(recipe, data.pixels[:8].float(), data.labels[start : start + 8]))
        return results

    said, other = losses(0.0)
    assert said != other
    silent, also_silent = losses(1.0)
    assert silent == also_silent


def test_no_noise_level_is_left_out_of_the_loss(recipe: TextToImageRecipe, new_accelerator: None) -> None:
    class Silent(torch.nn.Module):
        """Predicts no velocity at all, and notes at which levels it was asked."""

        alphas_cumprod = recipe.model.alphas_cumprod

        def forward(self, x_t: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
            self.asked = timesteps
            return torch.zeros_like(x_t)

    silent = Silent()
    x0 = torch.randn(100, 16, 8, 8, generator=torch.Generator().manual_seed(0))
    step = Step(Accelerator(cpu=True, mixed_precision="no"), 0, 0, 100, 100)
    loss = denoising_loss(silent, x0, torch.zeros(100, LENGTH), step, gamma=None)
    assert loss.item() == pytest.approx(1, abs=0.02), "v of unit latents has variance 1 at every level"
    assert (silent.asked // 10).unique().tolist() == list(range(100))


def test_a_step_teaches_words_and_pictures(data: Pictures, new_accelerator: None) -> None:
    recipe = build("sd-mini", "small", seed=2)
    assert isinstance(recipe, TextToImageRecipe)
    before = {key: tensor.clone() for key, tensor in recipe.model.state_dict().items()}
    for index in range(2):
        one_step(recipe, data.pixels[:8].float(), data.labels[:8], index)
    same = {key for key, tensor in recipe.model.state_dict().items() if torch.equal(tensor, before[key])}
    assert not same


def test_the_preview_is_the_same_from_the_same_weights(
    recipe: TextToImageRecipe, data: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_to_image, "PREVIEW_STEPS", 1)
    pictures = recipe.preview()
    assert pictures.shape == (len(PROMPTS), 3, 64, 64)
    assert -1 <= pictures.min() < -0.1 < 0.1 < pictures.max() <= 1
    assert torch.equal(pictures, recipe.preview())


def test_latents_of_another_shape_are_refused(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = build("sd-mini", "small", seed=0)
    monkeypatch.setattr(
        text_to_image, "_autoencoder", lambda _: FaceAutoencoder(latent_channels=4).requires_grad_(False)
    )
    with pytest.raises(InputError, match=r"\(4, 8, 8\); sd-mini is built for \(16, 8, 8\)"):
        recipe.load_data(sources)


def test_without_an_autoencoder_there_is_nothing_to_paint_in(sources: Sources, tmp_path: Path) -> None:
    recipe = build("sd-mini", "small", seed=0)
    with pytest.raises(CheckpointError, match="no checkpoint 'face-autoencoder'"):
        recipe.load_data(Sources(sources.data, checkpoints=tmp_path))


@pytest.mark.parametrize("size", ["small", "large"])
def test_it_fits_into_40_mb_beside_the_autoencoder(size: str) -> None:
    networks = build("sd-mini", size, seed=0).networks
    tokenizer = 1_000_000
    assert 2 * sum(parameter.numel() for parameter in networks["average"].parameters()) + tokenizer < 40e6


def test_what_is_published_verifies_and_says_what_it_is(published: Checkpoint, sources: Sources) -> None:
    store = ModelStore(sources.checkpoints, CPU)
    verify(store, "sd-mini")
    card = published.card()
    assert "non-commercial" in card.summary
    assert card.licence == "other"
    assert card.training["steps"] == 2
    assert "EmojiTwo (CC BY 4.0)" in card.data
    assert max(file.stat().st_size for file in published.folder.rglob("*")) <= 9e6


def test_it_ships_a_golden_picture_and_the_words_of_its_captions(published: Checkpoint, sources: Sources) -> None:
    store = ModelStore(sources.checkpoints, CPU)
    golden = published.folder / "golden" / "text-to-image.png"
    recipe = read_recipe(golden)
    assert recipe.request == asdict(TextToImageRequest())
    shown = to_tensor(open_picture(golden))
    assert (replay(recipe, store) - shown).abs().max() <= 1.01 / 255
    known = known_words(store)
    assert not known.unknown("a smiling woman wearing a hat, a blue book: 戴眼镜的女士，蓝色书本的表情符号")
    held_out = {fact.name for fact in emoji(sources.root(1), "test")[1]}
    assert held_out == {"black cat"}
    assert set(known.unknown("black cat 黑猫")) == {"cat", "黑猫"}, "its picture was kept back"


def test_the_shipped_weights_are_the_averages_as_fp16_keeps_them(
    published: Checkpoint, run: Run, sources: Sources
) -> None:
    recipe = build("sd-mini", "small", seed=99)
    run.restore(recipe.networks, recipe.optimizers)
    pipeline = published.load()
    average = recipe.networks["average"]
    autoencoder = ModelStore(sources.checkpoints, CPU).get("face-autoencoder")
    pairs = (
        (pipeline.text_encoder, average.text_encoder),
        (pipeline.unet, average.unet),
        (pipeline.vae, autoencoder.vae),
    )
    for loaded, trained in pairs:
        assert not loaded.training
        for key, tensor in trained.state_dict().items():
            assert loaded.state_dict()[key].dtype == torch.float32
            assert torch.equal(loaded.state_dict()[key], tensor.half().float()), key


def test_the_shipped_tokenizer_is_the_one_trained_with(
    published: Checkpoint, recipe: TextToImageRecipe, data: Pictures
) -> None:
    assert published.load().tokenizer.get_vocab() == recipe.tokenizer.get_vocab()


@pytest.mark.parametrize(
    "name",
    ["model_index.json", "unet/config.json", "vae/diffusion_pytorch_model.safetensors", "tokenizer/tokenizer.json"],
)
def test_damage_in_any_part_is_found(name: str, published: Checkpoint) -> None:
    path = published.folder / name
    good = path.read_bytes()
    try:
        path.write_bytes(good[:-2] + bytes([good[-2] ^ 1]) + good[-1:])
        with pytest.raises(CheckpointError, match=r"is damaged .* take checkpoints/ again from git"):
            published.load()
    finally:
        path.write_bytes(good)


def test_a_pipeline_of_another_class_is_refused(published: Checkpoint) -> None:
    good = (published.folder / "model_index.json").read_bytes()
    try:
        published.add("model_index.json", json.dumps({"_class_name": "FluxPipeline"}).encode())
        with pytest.raises(CheckpointError, match="names an unknown class"):
            published.load()
    finally:
        published.add("model_index.json", good)


def test_plain_diffusers_loads_and_runs_it_without_this_project(published: Checkpoint, tmp_path: Path) -> None:
    program = """
import sys, torch
from diffusers import StableDiffusionPipeline
try:
    import imagegen
except ImportError:
    pass
else:
    sys.exit("imagegen can be imported")
pipeline = StableDiffusionPipeline.from_pretrained(sys.argv[1])
assert {part.dtype for part in (pipeline.vae, pipeline.text_encoder, pipeline.unet)} == {torch.float32}
prompts = ["a smiling woman with glasses", "戴眼镜的女士", "<|endoftext|> 🦄"]
pictures = pipeline(prompts, num_inference_steps=2).images
print([picture.size for picture in pictures])
"""
    result = subprocess.run(
        [sys.executable, "-I", "-c", program, str(published.folder)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str([(64, 64)] * 3)


def test_prompts_are_drawn_without_a_safety_checker(published: Checkpoint) -> None:
    index = json.loads((published.folder / "model_index.json").read_text())
    assert index["safety_checker"] == [None, None]
    assert index["requires_safety_checker"] is False
