"""Which task draws with which checkpoint, so that a recipe or a command line can be run by name."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

import torch
from PIL import Image
from torch import Tensor

from imagegen.checkpoints import ModelStore, golden_output
from imagegen.devices import SEEDS
from imagegen.errors import CheckpointError, InputError
from imagegen.images import open_picture, to_pictures, to_tensor
from imagegen.recipes import Recipe, read_recipe
from imagegen.tasks import diffusion, gan, text_to_image, vae, vae_pictures

__all__ = ["TASKS", "Task", "recipe_of", "replay", "request_of", "sample", "verify"]

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
    """A typed request class, the function that runs it, and the checkpoint whose pictures it makes."""

    name: str
    checkpoint: str
    request: Callable[..., Any]
    run: Callable[[Any, ModelStore], Iterator[PictureStep]]


TASKS = {
    task.name: task
    for task in (
        Task("diffusion-digits", diffusion.DIGITS, diffusion.DigitRequest, diffusion.run),
        Task("diffusion-faces", diffusion.FACES, diffusion.FaceRequest, diffusion.run),
        Task("gan", gan.GENERATOR, gan.GanRequest, gan.run),
        Task("gan-walk", gan.GENERATOR, gan.WalkRequest, gan.walk),
        Task("text-to-image", text_to_image.CHECKPOINT, text_to_image.TextToImageRequest, text_to_image.run),
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


def recipe_of(task: Task, request: Any, store: ModelStore, index: int = 0, inputs: tuple[str, ...] = ()) -> Recipe:
    """What makes picture `index` of `request` again; `inputs` are the SHA-256 of pictures that went in."""
    return Recipe(
        task=task.name,
        checkpoint=task.checkpoint,
        sha256=store.checkpoint(task.checkpoint).sha256(),
        request=asdict(request),
        seed=request.seed,
        index=index,
        inputs=inputs,
    )


def request_of(recipe: Recipe, store: ModelStore) -> Any:
    """The request that a recipe holds, checked by its own class.

    Raises:
        InputError: the recipe is of no known task, asks for what its request refuses, or for other weights.
    """
    task = TASKS.get(recipe.task)
    if task is None:
        raise InputError("This recipe is of the task {task}, which this version does not have.", task=repr(recipe.task))
    if recipe.sha256 != store.checkpoint(task.checkpoint).sha256():
        raise InputError(
            "This recipe was made with other weights of {name}; the picture would differ.", name=task.checkpoint
        )
    try:
        request = task.request(**recipe.request)
    except TypeError as problem:
        raise InputError("This recipe asks for something {task} does not know.", task=recipe.task) from problem
    checkpoint = getattr(request, "checkpoint", task.checkpoint)
    if {recipe.checkpoint, checkpoint} != {task.checkpoint} or recipe.seed != request.seed:
        raise InputError("This recipe contradicts itself; choose another picture or link.")
    return request


def replay(recipe: Recipe, store: ModelStore) -> Tensor:
    """Make a recipe's picture again: (1, C, H, W) in [-1, 1].

    Raises:
        InputError: as `request_of`, or the request makes fewer pictures than the recipe's index.
    """
    request = request_of(recipe, store)
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
    task = next((task for task in TASKS.values() if task.checkpoint == name), None)
    if task is None:
        names = ", ".join(sorted({task.checkpoint for task in TASKS.values()}))
        raise InputError("{name} draws no pictures; choose one of {names}.", name=repr(name), names=names)
    for start in range(0, count, SAMPLE_BATCH):
        try:
            request = task.request(count=min(SAMPLE_BATCH, count - start), seed=(seed + start) % SEEDS, **options)
        except TypeError as problem:
            raise InputError(
                "{name} does not know one of the options {options}.", name=name, options=", ".join(options)
            ) from problem
        *_, last = task.run(request, store)
        for index, picture in enumerate(to_pictures(last.images)):
            yield picture, recipe_of(task, request, store, index)


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
