"""Which task draws with which checkpoint, so that a recipe or a command line can be run by name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from inspect import signature
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from imagegen.checkpoints import golden_output
from imagegen.devices import SEEDS
from imagegen.errors import CheckpointError, InputError
from imagegen.images import open_picture, to_pictures, to_tensor
from imagegen.recipes import Recipe, picture_sha256, read_recipe
from imagegen.store import ModelStore
from imagegen.tasks import classic_gan, diffusion, editing, gan, sr, style, style_slow, text_to_image, vae, vae_pictures

__all__ = ["TASKS", "Task", "recipe_of", "replay", "request_of", "sample", "sample_from", "task_of", "verify"]

SAMPLE_BATCH = 60
"""Pictures drawn at once; a multiple of 10, so that batches stay balanced over the digits."""
TOLERANCE = 4 / 255
"""How far another machine may be off, as a share of the output's range, in 99.9 % of values."""


class PictureStep(Protocol):
    """What every task's last step has."""

    @property
    def images(self) -> Tensor: ...


@dataclass(frozen=True)
class Task:
    """A typed request class, the function that runs it, and the checkpoint whose pictures it makes.

    `pictures` are the fields of the request that hold a picture which goes in, (1, 3, H, W) in [-1, 1], or may hold
    one; the first is that of the command line's `--input`. A recipe names them by their SHA-256 instead.
    """

    name: str
    checkpoint: str
    request: Callable[..., Any]
    run: Callable[[Any, ModelStore], Iterator[PictureStep]]
    pictures: tuple[str, ...] = ()


TASKS = {
    task.name: task
    for task in (
        Task("diffusion-digits", diffusion.DIGITS, diffusion.DigitRequest, diffusion.run),
        Task("diffusion-faces", diffusion.FACES, diffusion.FaceRequest, diffusion.run),
        Task("gan", gan.GENERATOR, gan.GanRequest, gan.run),
        Task("gan-walk", gan.GENERATOR, gan.WalkRequest, gan.walk),
        *(
            Task(task, name, partial(classic_gan.ClassicGanRequest, checkpoint=name), classic_gan.run)
            for task, name in (
                ("gan-mlp", classic_gan.MLP),
                ("gan-dcgan", classic_gan.DCGAN),
                ("gan-faces", classic_gan.FACES),
            )
        ),
        Task("style", style.FAST, style.StyleRequest, style.run, style.PICTURES),
        Task("style-slow", style_slow.FEATURES, style_slow.SlowRequest, style_slow.run, style_slow.PICTURES),
        Task("text-to-image", text_to_image.CHECKPOINT, text_to_image.TextToImageRequest, text_to_image.run),
        Task("edit-image", text_to_image.CHECKPOINT, editing.EditRequest, editing.run, ("picture",)),
        Task("inpaint", text_to_image.CHECKPOINT, editing.InpaintRequest, editing.run, ("picture", "mask")),
        Task("upscale", sr.FAITHFUL, sr.UpscaleRequest, sr.run, ("picture",)),
        Task("upscale-pleasing", sr.PLEASING, sr.PleasingRequest, sr.run, ("picture",)),
        Task("upscale-real", sr.REAL, sr.RealRequest, sr.run, ("picture",)),
        Task("vae-digits", vae.DIGITS, vae.DigitRequest, vae.run),
        Task("vae-plane", vae.PLANE, vae.PlaneRequest, vae.run),
        Task("vae-place", vae.PLANE, vae.DecodeRequest, vae.decode),
        Task("vae-faces", vae.FACES, vae.FaceRequest, vae.run),
        *(
            Task(
                f"{name}-way", name, partial(vae_pictures.InterpolateRequest, checkpoint=name), vae_pictures.interpolate
            )
            for name in (vae.DIGITS, vae.PLANE, vae.FACES)
        ),
    )
}


def task_of(request: object) -> Task:
    """The task that a request is of, for the classes of requests that one task alone has."""
    return next(task for task in TASKS.values() if task.request is type(request))


def recipe_of(task: Task, request: Any, store: ModelStore, index: int = 0) -> Recipe:
    """What makes picture `index` of `request` again; what went in is named by its SHA-256."""
    values = {field.name: getattr(request, field.name) for field in fields(request)}
    taken = [values.pop(name) for name in task.pictures if isinstance(values[name], Tensor)]
    checkpoint, sha256 = _origin(task, values, store)
    return Recipe(
        task=task.name,
        checkpoint=checkpoint,
        sha256=sha256,
        request=values,
        seed=getattr(request, "seed", 0),
        index=index,
        inputs=tuple(_named(taken)),
    )


def request_of(recipe: Recipe, store: ModelStore, pictures: Sequence[Tensor] = ()) -> Any:
    """The request that a recipe holds, checked by its own class.

    Args:
        pictures: that went in, each (1, 3, H, W) in [-1, 1]; a recipe only names them.

    Raises:
        InputError: the recipe is of no known task, asks for what its request refuses, for other weights, for an engine
            that is not here or makes nothing twice, or for other pictures than these.
    """
    task = TASKS.get(recipe.task)
    if task is None:
        raise InputError("This recipe is of the task {task}, which this version does not have.", task=repr(recipe.task))
    name, sha256 = _origin(task, recipe.request, store)
    if name in store.engines and store.engines[name].remote:
        raise InputError("A picture of {name} cannot be made again: its service takes no seed.", name=name)
    if recipe.sha256 != sha256:
        raise InputError("This recipe was made with other weights of {name}; the picture would differ.", name=name)
    if recipe.inputs != tuple(_named(pictures)):
        raise InputError(
            "This recipe began with a picture that a recipe cannot carry; bring that picture and choose the same again."
        )
    taken = [name for name in task.pictures if name not in recipe.request]
    try:
        request = task.request(**recipe.request, **dict(zip(taken, pictures, strict=True)))
    except (TypeError, ValueError) as problem:
        raise InputError("This recipe asks for something {task} does not know.", task=recipe.task) from problem
    checkpoint = getattr(request, "checkpoint", name)
    if {recipe.checkpoint, checkpoint} != {name} or recipe.seed != getattr(request, "seed", 0):
        raise InputError("This recipe contradicts itself; choose another picture or link.")
    return request


def _origin(task: Task, values: Mapping[str, Any], store: ModelStore) -> tuple[str, str]:
    """Name and hash of the weights that answer a request of these values: the task's, or an engine's."""
    name = values.get("engine", task.checkpoint)
    if name == task.checkpoint:
        return name, store.checkpoint(name).sha256()
    engine = store.engines.get(name) if isinstance(name, str) else None
    if engine is None:
        raise InputError(
            "This picture was painted by {name}, which this app was not started with; README says how to bring it.",
            name=repr(name),
        )
    return name, engine.sha256()


def replay(recipe: Recipe, store: ModelStore, pictures: Sequence[Tensor] = ()) -> Tensor:
    """Make a recipe's picture again, from the same `pictures` if any went in: (1, C, H, W) in [-1, 1].

    Raises:
        InputError: as `request_of`, or the request makes fewer pictures than the recipe's index.
    """
    request = request_of(recipe, store, pictures)
    *_, last = TASKS[recipe.task].run(request, store)
    if recipe.index >= len(last.images):
        raise InputError("This recipe is of picture {index} of a smaller set.", index=recipe.index)
    return last.images[recipe.index : recipe.index + 1]


def sample(
    name: str, count: int, seed: int, options: dict[str, Any], store: ModelStore
) -> Iterator[tuple[Image.Image, Recipe]]:
    """Pictures of checkpoint `name` with their recipes; picture i is drawn from seed + i.

    Raises:
        InputError: no task draws with `name`, or its request refuses an option.
    """
    task = _drawing(name, ())
    if task.pictures:
        raise InputError("{name} works on pictures: name a file or a folder with --input.", name=name)
    for start in range(0, count, SAMPLE_BATCH):
        request = _asked(task, {"count": min(SAMPLE_BATCH, count - start), "seed": (seed + start) % SEEDS}, options)
        *_, last = task.run(request, store)
        for index, picture in enumerate(to_pictures(last.images)):
            yield picture, recipe_of(task, request, store, index)


def sample_from(
    name: str, pictures: Iterable[tuple[str, Image.Image]], options: dict[str, Any], store: ModelStore, seed: int = 0
) -> Iterator[tuple[str, Image.Image, Recipe]]:
    """What checkpoint `name` makes of each picture, under the picture's name, with its recipe.

    Args:
        seed: of each picture, where the task draws noise.

    Raises:
        InputError: `name` takes no pictures, or its request refuses an option or a picture, which is then named.
    """
    task = _drawing(name, ("picture", *options))
    if not task.pictures:
        raise InputError("{name} takes no pictures; leave out --input.", name=name)
    drawn = {"seed": seed} if "seed" in signature(task.request).parameters else {}
    for source, picture in pictures:
        try:
            request = _asked(task, {task.pictures[0]: to_tensor(picture), **drawn}, options)
        except InputError as problem:
            raise InputError(
                "The picture {source} does not fit: {problem}", source=source, problem=problem
            ) from problem
        *_, last = task.run(request, store)
        yield source, to_pictures(last.images)[0], recipe_of(task, request, store)


def verify(store: ModelStore, name: str) -> None:
    """Check every file of a checkpoint, and that it still computes what it did when it was published.

    A golden picture is made by its task, which may need other checkpoints of the store too.

    Raises:
        CheckpointError: a file is damaged, or the golden tensors or picture come out otherwise.
    """
    checkpoint = store.checkpoint(name)
    checkpoint.verify()
    golden = checkpoint.tensors("golden/tensors.safetensors")
    wanted = golden.pop("output")
    with torch.no_grad():
        example = {key: tensor.to(store.device) for key, tensor in golden.items()}
        output = golden_output(store.get(name), example).cpu()
    _compare(name, output, wanted, spread=float(wanted.max() - wanted.min()))
    for picture in sorted(checkpoint.folder.glob("golden/*.png")):
        shown = to_tensor(open_picture(picture))
        _compare(name, replay(read_recipe(picture), store).cpu().expand_as(shown), shown, spread=2.0)  # from -1 to 1


def _compare(name: str, output: Tensor, wanted: Tensor, spread: float) -> None:
    if ((output - wanted).abs() <= spread * TOLERANCE).float().mean() < 0.999:
        raise CheckpointError("{name} no longer computes what it did when it was published.", name=name)


def _drawing(name: str, brought: Iterable[str]) -> Task:
    """The task that draws with checkpoint `name`; of several, the first that takes most of the pictures `brought`."""
    tasks = [task for task in TASKS.values() if task.checkpoint == name]
    if not tasks:
        names = ", ".join(sorted({task.checkpoint for task in TASKS.values()}))
        raise InputError("{name} draws no pictures; choose one of {names}.", name=repr(name), names=names)
    return max(tasks, key=lambda task: len({*task.pictures} & {*brought}))


def _asked(task: Task, given: dict[str, Any], options: dict[str, Any]) -> Any:
    try:
        return task.request(**given, **options)
    except TypeError as problem:
        raise InputError(
            "{name} does not know one of the options {options}.", name=task.checkpoint, options=", ".join(options)
        ) from problem


def _named(pictures: Iterable[Tensor]) -> Iterator[str]:
    return (picture_sha256(to_pictures(picture)[0]) for picture in pictures)
