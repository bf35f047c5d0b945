"""The command line: train, publish, sample, evaluate, verify."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.error import URLError

import typer

from imagegen.errors import CheckpointError, ImageGenError

if TYPE_CHECKING:
    from PIL import Image

    from imagegen.data.pictures import Sources
    from imagegen.recipes import Recipe

__all__ = ["app"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Train, publish, sample, evaluate and verify checkpoints.",
)

Data = Annotated[
    list[Path] | None,
    typer.Option(help="A data set, once for each that the recipe needs; MNIST and CelebA are downloaded if not given."),
]
Features = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the feature networks VGG-19 and SqueezeNet; without it, torchvision's are downloaded."
    ),
]
Checkpoints = Annotated[Path, typer.Option(help="Folder of checkpoints.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]


def _plainly(command: Callable[..., None]) -> Callable[..., None]:
    """An error of ours, or no network, is one line on stderr and exit code 1, not a traceback."""

    @wraps(command)
    def wrapped(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except ImageGenError as problem:
            typer.echo(f"Error: {problem}", err=True)
            raise typer.Exit(1) from problem
        except URLError as problem:
            told = "Name the data with --data, and feature networks with --features."
            typer.echo(f"Error: Nothing can be downloaded ({problem.reason}). {told}", err=True)
            raise typer.Exit(1) from problem

    return wrapped


@app.command()
@_plainly
def train(
    name: str,
    data: Data = None,
    features: Features = None,
    size: Annotated[str, typer.Option(help="small, for a CPU, or large, for a GPU.")] = "small",
    minutes: Annotated[float | None, typer.Option(help="Train this long.", min=0)] = None,
    steps: Annotated[int | None, typer.Option(help="Train this many steps.", min=1)] = None,
    batch: Annotated[int | None, typer.Option(help="Pictures in a step, over all processes.", min=1)] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    device: Device = "auto",
    precision: Annotated[Literal["bf16", "no"], typer.Option(help="no is full precision.")] = "bf16",
    output: Annotated[Path | None, typer.Option(help="The run's folder; runs/NAME by default.")] = None,
    checkpoints: Checkpoints = Path("checkpoints"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --output, as it was planned.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Two steps on made-up data, in a folder that is thrown away.")
    ] = False,
) -> None:
    """Train NAME; curves and pictures go to TensorBoard, the state to --output every 20 seconds."""
    import tempfile

    from imagegen.training.loop import Options
    from imagegen.training.loop import train as run_training
    from imagegen.training.recipes import build, made_up_data
    from imagegen.training.run import Run

    output = output or Path("runs") / name
    if resume and not dry_run:
        size, seed = (Run(output).facts()[planned] for planned in ("size", "seed"))
    recipe = build(name, size, seed)
    options = Options(
        output,
        size,
        steps,
        minutes,
        batch,
        seed,
        device,
        precision,
        resume,
        _command(),
    )
    if dry_run:
        with tempfile.TemporaryDirectory() as folder:
            run_training(
                recipe,
                made_up_data(recipe),
                Options(Path(folder), size, steps=2, batch=16, seed=seed, device=device, precision=precision),
            )
        typer.echo(f"{name}: two steps on made-up data went well.")
        return
    run = run_training(recipe, recipe.load_data(_sources(data, features, checkpoints, device)), options)
    typer.echo(f"Done. Next: python -m imagegen publish {run.folder}")


def _sources(data: list[Path] | None, features: Path | None, checkpoints: Path, device: str = "auto") -> "Sources":
    from imagegen.data.pictures import Sources

    return Sources(tuple(data or ()), features, checkpoints, device)


def _command() -> str:
    """How this was started, with the folders left to whoever repeats it."""
    from imagegen.checkpoints import SUMS

    words = [part for word in sys.argv[1:] for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for i, word in enumerate(words[:-1]):
        if word == "--data":
            folder = Path(words[i + 1])
            root = "checkpoints" if (folder / SUMS).exists() else "$IMAGEGEN_DATA"
            words[i + 1] = f"{root}/{folder.name}"
        elif word == "--features":
            words[i + 1] = "$IMAGEGEN_FEATURES"
    return "python -m imagegen " + " ".join(word if word.startswith("$") else shlex.quote(word) for word in words)


@app.command()
@_plainly
def publish(
    run: Path, data: Data = None, features: Features = None, checkpoints: Checkpoints = Path("checkpoints")
) -> None:
    """Turn the finished run in folder RUN into checkpoints: fp16 weights, card, golden picture, sums."""
    from imagegen.training.publish import publish as write

    for checkpoint in write(run, checkpoints, _sources(data, features, checkpoints)):
        typer.echo(f"Wrote {checkpoint.folder}. Next: python -m imagegen evaluate {checkpoint.name}")


@app.command()
@_plainly
def evaluate(
    name: str,
    data: Data = None,
    features: Features = None,
    checkpoints: Checkpoints = Path("checkpoints"),
    device: Device = "auto",
) -> None:
    """Measure NAME and write the figures into its card."""
    from imagegen.devices import choose_device
    from imagegen.evaluation.run import evaluate as measure
    from imagegen.store import ModelStore

    card = measure(ModelStore(checkpoints, choose_device(device)), name, _sources(data, features, checkpoints, device))
    for key, figure in card.figures.items():
        typer.echo(f"{key}: {figure['value']:.4g}  {figure.get('bar', '')}  [{figure['how']}]")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@_plainly
def sample(
    context: typer.Context,
    name: str,
    count: Annotated[int, typer.Option(min=1, max=1_000_000)] = 16,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = 0,
    given: Annotated[
        Path | None, typer.Option("--input", help="A picture, or a folder or zip of them, for what works on pictures.")
    ] = None,
    output: Path = Path("samples"),
    checkpoints: Checkpoints = Path("checkpoints"),
    device: Device = "auto",
) -> None:
    """Write 00000.png ..., or pictures named as those of --input, and recipes.jsonl; picture i uses seed + i.

    The family's options follow: --digit 7, --style NAME_OR_FILE, or --mask FILE.
    """
    from imagegen.data.folders import pictures_at
    from imagegen.devices import choose_device
    from imagegen.images import open_picture, to_tensor
    from imagegen.recipes import to_json, to_png
    from imagegen.store import ModelStore
    from imagegen.tasks import registry

    store, options = ModelStore(checkpoints, choose_device(device)), _family_options(context.args)
    if (painting := Path(str(options.get("style", "")))).is_file():  # not the name of a style
        options["painting"] = to_tensor(open_picture(painting))
        del options["style"]
    if "mask" in options:
        options["mask"] = to_tensor(open_picture(Path(str(options["mask"]))))
    drawn: Iterator[tuple[str, Image.Image, Recipe]]
    if given is None:
        numbered = enumerate(registry.sample(name, count, seed, options, store))
        drawn = ((f"{i:05d}", picture, recipe) for i, (picture, recipe) in numbered)
    else:
        drawn = registry.sample_from(name, pictures_at(given), options, store, seed)
    first = next(drawn)  # what is refused leaves the folder as it was
    written: set[Path] = set()
    output.mkdir(parents=True, exist_ok=True)
    with (output / "recipes.jsonl").open("w", encoding="utf-8") as lines:
        for source, picture, recipe in chain([first], drawn):
            parts = [part for part in PurePosixPath(source).parts if part not in ("..", "/")]  # a zip may name anything
            file = output.joinpath(*parts).with_suffix(".png")
            if file in written:  # a.jpg and a.png
                file = output.joinpath(*parts[:-1], f"{parts[-1]}.png")
            written.add(file)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(to_png(picture, recipe))
            lines.write(to_json(recipe) + "\n")
    typer.echo(f"Wrote {len(written)} pictures to {output}.")


def _family_options(words: list[str]) -> dict[str, Any]:
    """`--digit 7 --solver ddim` -> {"digit": 7, "solver": "ddim"}; the task's request checks them."""
    options: dict[str, Any] = {}
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for flag, word in zip(words[::2], [*words[1::2], None], strict=False):
        if not flag.startswith("--") or word is None:
            raise typer.BadParameter(f"{flag} is not an option followed by a value.")
        try:
            options[flag[2:].replace("-", "_")] = json.loads(word)
        except ValueError:
            options[flag[2:].replace("-", "_")] = word
    return options


@app.command()
@_plainly
def verify(checkpoints: Checkpoints = Path("checkpoints")) -> None:
    """Check the hash of every shipped file, load every network and repeat its golden tensors."""
    import torch

    from imagegen.store import ModelStore
    from imagegen.tasks.registry import verify as check

    store = ModelStore(checkpoints, torch.device("cpu"))
    if not store.names():
        raise CheckpointError("There are no checkpoints in {folder}.", folder=checkpoints)
    for name in store.names():
        check(store, name)
        typer.echo(f"{name}: as it was published")
