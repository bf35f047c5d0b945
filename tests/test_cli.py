"""The command line: files and recipes by number, and every refusal one line on stderr."""

import re
import shutil
import zipfile
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import typer
from made_up_data import write_sources
from made_up_style import STYLES
from PIL import Image
from typer.testing import CliRunner, Result

from imagegen import cli
from imagegen.checkpoints import Checkpoint
from imagegen.cli import app
from imagegen.images import to_tensor
from imagegen.recipes import from_json, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks.registry import replay
from imagegen.training import diffusion, text_to_image
from imagegen.training.recipes import RECIPES
from imagegen.training.run import Run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, so that runs/ and checkpoints/ are not the project's own."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def refused(*words: object) -> str:
    """The one line that a refused command leaves."""
    result = call(*words)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


@pytest.mark.usefixtures("new_accelerator")
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_runs_dry_and_leaves_nothing(name: str, elsewhere: Path) -> None:
    result = call("train", name, "--dry-run", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert f"{name}: two steps on made-up data went well." in result.output
    assert list(elsewhere.iterdir()) == []


@pytest.mark.usefixtures("new_accelerator")
def test_a_run_remembers_how_it_was_started_but_not_where_the_data_lay(
    mnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "digit-classifier", "--data", mnist_root, "--steps", 1, "--batch", 4, "--device", "cpu"]
    words += ["--output", tmp_path / "my run"]
    monkeypatch.setattr("sys.argv", ["imagegen", *map(str, words)])
    result = call(*words)
    assert result.exit_code == 0, result.output
    assert f"python -m imagegen publish {tmp_path / 'my run'}" in result.output
    command = Run(tmp_path / "my run").facts()["command"]
    assert command.startswith("python -m imagegen train digit-classifier --data $IMAGEGEN_DATA/mnist")
    assert command.endswith(f"--output '{tmp_path / 'my run'}'")
    assert str(mnist_root) not in command


@pytest.mark.parametrize("name", ["ddpm-celeba", "sd-mini"])
def test_latents_are_computed_where_it_is_trained(
    name: str, checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for recipes in (diffusion, text_to_image):
        monkeypatch.setattr(recipes, "latents_of", None)  # not come to, as there is no such device
    data = [word for folder in write_sources(tmp_path).data for word in ("--data", folder)]
    words = ["train", name, *data, "--checkpoints", checkpoints, "--device", "gpu"]
    assert "There is no device called gpu" in refused(*words)


@pytest.mark.usefixtures("new_accelerator")
def test_a_run_is_resumed_at_its_own_size(mnist_root: Path, tmp_path: Path) -> None:
    words = ["train", "vae-mnist", "--data", mnist_root, "--output", tmp_path, "--device", "cpu"]
    assert call(*words, "--size", "large", "--steps", 1, "--batch", 4, "--seed", 3).exit_code == 0
    result = call(*words, "--resume")
    assert result.exit_code == 0, result.output
    assert Run(tmp_path).facts()["size"] == "large"


def test_without_a_network_it_says_what_to_name(capsys: pytest.CaptureFixture[str]) -> None:
    def unreachable() -> None:
        raise URLError("no route")

    with pytest.raises(typer.Exit):
        cli._plainly(unreachable)()
    assert re.search(r"no route.*--data.*--features", capsys.readouterr().err)


def test_a_checkpoint_to_begin_with_is_remembered_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("faces", "sd-mini"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sd-mini" / "SHA256SUMS").touch()
    words = ["train", "sd-mini", "--data", tmp_path / "faces", "--data", tmp_path / "sd-mini"]
    monkeypatch.setattr("sys.argv", ["imagegen", *map(str, words)])
    assert cli._command() == "python -m imagegen train sd-mini --data $IMAGEGEN_DATA/faces --data checkpoints/sd-mini"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["train", "vae"], "There is no recipe 'vae'; choose one of ae-mnist-2d, "),
        (["train", "gan-mnist", "--size", "huge"], "There is no size 'huge'; choose one of small, large."),
        (["train", "gan-mnist", "--device", "gpu", "--dry-run"], "There is no device called gpu"),
        (["train", "gan-mnist", "--data", "nowhere"], "nowhere holds no MNIST"),
        (["publish", "nowhere"], "nowhere/state.safetensors is not there or cannot be read"),
        (["evaluate", "nothing", "--device", "cpu"], "There is no checkpoint 'nothing' in checkpoints"),
    ],
)
def test_what_cannot_be_done_is_one_line(words: list[str], reason: str) -> None:
    assert reason in refused(*words)


@pytest.mark.parametrize("words", [["train", "gan-mnist", "--steps", "0"], ["train", "gan-mnist", "--seed", "-1"]])
def test_numbers_out_of_range_are_refused(words: list[str]) -> None:
    assert call(*words).exit_code == 2


def test_samples_are_numbered_and_carry_their_recipes(checkpoints: Path, store: ModelStore, tmp_path: Path) -> None:
    options = ["--count", 12, "--seed", 30, "--checkpoints", checkpoints, "--device", "cpu", "--truncation", 0.8]
    result = call("sample", "gan-mnist", "--output", tmp_path / "out", *options)
    assert result.exit_code == 0, result.output
    names = [f"{i:05d}.png" for i in range(12)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*names, "recipes.jsonl"]
    lines = (tmp_path / "out" / "recipes.jsonl").read_text(encoding="utf-8").splitlines()
    for i, (name, line) in enumerate(zip(names, lines, strict=True)):
        file = tmp_path / "out" / name
        recipe = read_recipe(file)
        assert recipe == from_json(line)
        assert recipe.seed + recipe.index == 30 + i
        assert recipe.request["truncation"] == 0.8
        with Image.open(file) as picture:
            assert (picture.mode, picture.size) == ("L", (28, 28))
            assert (replay(recipe, store) - to_tensor(picture)).abs().max() <= 1.01 / 255


def test_sample_i_is_the_sample_of_seed_plus_i(checkpoints: Path, tmp_path: Path) -> None:
    options = ["--digit", 7, "--checkpoints", checkpoints, "--device", "cpu"]
    call("sample", "gan-mnist", "--count", 3, "--seed", 5, "--output", tmp_path / "three", *options)
    call("sample", "gan-mnist", "--count", 1, "--seed", 7, "--output", tmp_path / "one", *options)
    with Image.open(tmp_path / "three" / "00002.png") as third, Image.open(tmp_path / "one" / "00000.png") as alone:
        assert (to_tensor(third) - to_tensor(alone)).abs().max() <= 2.01 / 255


def test_a_prompt_is_sampled_in_any_language(checkpoints: Path, tmp_path: Path) -> None:
    words = ["--prompt", "戴眼镜的女士, a sun", "--steps", 2, "--guidance-scale", 3, "--solver", "unipc"]
    where = ["--checkpoints", checkpoints, "--output", tmp_path / "out", "--device", "cpu"]
    result = call("sample", "sd-mini", "--count", 3, "--seed", 4, *words, *where)
    assert result.exit_code == 0, result.output
    recipes = [from_json(line) for line in (tmp_path / "out" / "recipes.jsonl").read_text().splitlines()]
    assert [recipe.index for recipe in recipes] == [0, 1, 2]
    assert recipes[0].request["prompt"] == "戴眼镜的女士, a sun"
    store = ModelStore(checkpoints, torch.device("cpu"))
    for i, recipe in enumerate(recipes):
        file = tmp_path / "out" / f"{i:05d}.png"
        assert read_recipe(file) == recipe
        with Image.open(file) as picture:
            assert picture.size == (64, 64)
            assert (replay(recipe, store) - to_tensor(picture)).abs().max() <= 1.01 / 255


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A grey JPEG and two PNG, one of them in a folder; one name comes twice."""
    folder = tmp_path / "photos"
    (folder / "below").mkdir(parents=True)
    noise = Image.effect_noise((12, 9), 80)
    noise.save(folder / "a.jpg")
    noise.convert("RGB").save(folder / "a.png")
    noise.rotate(180).save(folder / "below" / "b.png")
    return folder


def test_pictures_that_go_in_come_out_under_the_same_names(
    photos: Path, checkpoints: Path, store: ModelStore, tmp_path: Path
) -> None:
    options = ["--output", tmp_path / "out", "--checkpoints", checkpoints, "--device", "cpu"]
    result = call("sample", "sr-x4", "--input", photos, *options)
    assert result.exit_code == 0, result.output
    assert "Wrote 3 pictures" in result.output
    files = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    names = ["a.png", "a.png.png", "below/b.png", "recipes.jsonl"]
    assert [path.relative_to(tmp_path / "out").as_posix() for path in files] == names
    lines = (tmp_path / "out" / "recipes.jsonl").read_text(encoding="utf-8").splitlines()
    for file, line, given in zip(files, lines, ["a.jpg", "a.png", "below/b.png"], strict=False):
        recipe = read_recipe(file)
        assert recipe == from_json(line)
        with Image.open(file) as picture, Image.open(photos / given) as before:
            assert (picture.mode, picture.size) == ("RGB", (48, 36))
            again = replay(recipe, store, [to_tensor(before.convert("RGB"))])
            assert (again - to_tensor(picture)).abs().max() <= 1.01 / 255


def test_a_style_is_a_name_or_a_file(photos: Path, checkpoints: Path, tmp_path: Path) -> None:
    options = ["--checkpoints", checkpoints, "--device", "cpu", "--size", 64]
    made = {}
    for style in (STYLES[0], photos / "a.jpg"):
        folder = tmp_path / str(len(made))
        result = call(
            "sample", "style-fast", "--input", photos / "a.png", "--style", style, *options, "--output", folder
        )
        assert result.exit_code == 0, result.output
        made[style] = read_recipe(folder / "a.png")
    named, taken = made.values()
    assert (named.request["style"], len(named.inputs)) == ([STYLES[0]], 1)
    assert (taken.request["style"], len(taken.inputs)) == (["painting"], 2)
    slow = ["style-features", "--style", photos / "a.jpg", "--iterations", 2, "--output", tmp_path / "slow"]
    result = call("sample", *slow, "--input", photos / "a.png", *options)
    assert result.exit_code == 0, result.output
    assert read_recipe(tmp_path / "slow" / "a.png").request["iterations"] == 2
    result = call("sample", "style-fast", "--input", photos / "a.png", "--style", "mona-lisa", *options)
    assert result.exit_code == 1
    assert "each of style must be one of painting, hokusai" in result.output


def test_one_file_goes_in_whatever_it_is_called(photos: Path, checkpoints: Path, tmp_path: Path) -> None:
    file = (photos / "a.jpg").rename(photos / "photo")
    options = ["--output", tmp_path / "out", "--checkpoints", checkpoints, "--device", "cpu"]
    result = call("sample", "srgan-x4", "--input", file, "--pleasing", 0.5, *options)
    assert result.exit_code == 0, result.output
    assert read_recipe(tmp_path / "out" / "photo.png").request == {"pleasing": 0.5}


def test_a_zip_writes_nothing_outside_the_folder(photos: Path, checkpoints: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(photos / "a.png", "../../outside.png")
    options = ["--output", tmp_path / "deep" / "out", "--checkpoints", checkpoints, "--device", "cpu"]
    result = call("sample", "sr-x4", "--input", tmp_path / "photos.zip", *options)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "deep" / "out" / "outside.png").is_file()
    assert not list(tmp_path.glob("outside*"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["sr-x4"], "sr-x4 works on pictures: name a file or a folder with --input."),
        (["sr-x4", "--input", "nowhere"], "nowhere holds no pictures"),
        (["gan-mnist", "--input", "nowhere"], "gan-mnist takes no pictures; leave out --input."),
        (["gan-mnist", "--digit", "12"], "digit must be a whole number from 0 to 9"),
        (["gan-mnist", "--digit", "seven"], "digit must be a whole number from 0 to 9"),
        (["gan-mnist", "--mix", "NaN"], "mix must be a number from 0 to 1"),
        (["gan-mnist", "--colour", "red"], "gan-mnist does not know one of the options colour"),
        (["digit-classifier"], "'digit-classifier' draws no pictures; choose one of "),
        (["gan-mnist", "--device", "gpu"], "There is no device called gpu"),
    ],
)
def test_what_cannot_be_sampled_is_one_line(words: list[str], reason: str, checkpoints: Path, tmp_path: Path) -> None:
    options = [] if "--device" in words else ["--device", "cpu"]
    assert reason in refused("sample", *words, "--checkpoints", checkpoints, "--output", tmp_path, *options)


@pytest.mark.parametrize("words", [["--digit"], ["digit", "7"], ["--digit", "7", "more"]])
def test_options_come_with_their_values(words: list[str], checkpoints: Path, tmp_path: Path) -> None:
    result = call("sample", "gan-mnist", "--checkpoints", checkpoints, "--output", tmp_path / "out", *words)
    assert result.exit_code == 2
    assert "is not an option followed by a value" in result.stderr


def test_verify_names_each_that_is_well_and_stops_at_damage(checkpoints: Path, tmp_path: Path) -> None:
    result = call("verify", "--checkpoints", checkpoints)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [f"{path.name}: as it was published" for path in sorted(checkpoints.iterdir())]

    folder = shutil.copytree(checkpoints, tmp_path / "checkpoints")
    weights = folder / "gan-mnist" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    result = call("verify", "--checkpoints", folder)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: gan-mnist/model.safetensors is damaged")


def test_verify_notices_a_checkpoint_without_its_config(checkpoints: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints, tmp_path / "checkpoints")
    first = min(folder.iterdir()).name
    (folder / first / "config.json").unlink()
    assert f"{first}/config.json is missing" in refused("verify", "--checkpoints", folder)


def test_evaluate_writes_what_it_measured_into_the_card(checkpoints: Path, mnist_root: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints, tmp_path / "checkpoints")
    result = call(
        "evaluate", "gan-mnist-discriminator", "--data", mnist_root, "--checkpoints", folder, "--device", "cpu"
    )
    assert result.exit_code == 0, result.output
    checkpoint = Checkpoint(folder / "gan-mnist-discriminator")
    checkpoint.verify()
    figures = checkpoint.card().figures
    assert "FID" in figures
    assert f"pairs ranked right: {figures['pairs ranked right']['value']:.4g}" in result.stdout
