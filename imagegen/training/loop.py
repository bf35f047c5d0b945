"""The one training loop: data order, precision, saving, resuming, curves and pictures for every recipe."""

import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from imagegen.data.pictures import Pictures
from imagegen.devices import choose_device, layout
from imagegen.errors import DeviceError, TrainingError
from imagegen.images import grid, to_pictures
from imagegen.training.recipe import Recipe, Step, rng_of
from imagegen.training.run import Run, current_commit

__all__ = ["Options", "compile_networks", "train"]

SAVE_SECONDS, SAVE_COST = 20, 0.4
"""Between two states, and what one may take; if it takes n times as long, n times as many seconds pass between them."""
LOG_STEPS = 10
MOMENTS, MOMENT_QUALITY = 30, 90
SPEED_FROM, SPEED_TO = 20, 50
"""Steps whose speed plans a run by minutes; the first ones compile and warm up."""
PLAN_STEPS = 100
"""Steps after which it is planned anew, by their speed: a device may be shared, and later steps be slower."""


@dataclass(frozen=True)
class Options:
    """How one run goes; what is None comes from the recipe.

    Args:
        output: the run's folder.
        size: `small` or `large`.
        steps: training steps, or
        minutes: time to train; the steps are planned from the speed of the last ones, now and then.
        batch: pictures in a step, over all processes.
        seed: of weights, order and noise.
        device: `auto`, `cpu`, `cuda` ...
        precision: `bf16` or `no`.
        resume: go on with the run in `output`, as that was planned whatever else is said here.
        command: how it was started, for the card.
    """

    output: Path
    size: str = "small"
    steps: int | None = None
    minutes: float | None = None
    batch: int | None = None
    seed: int = 0
    device: str = "auto"
    precision: str = "bf16"
    resume: bool = False
    command: str = ""


def train(recipe: Recipe, data: Pictures, options: Options) -> Run:
    """Run `recipe` on `data` to its planned end, saving every 20 seconds.

    Raises:
        DeviceError: the device is not there, or was numbered for more than one process.
        TrainingError: a loss is not finite (the last good state is kept), the folder holds another run or one that
            does not fit, or the disk is full.
    """
    run = Run(options.output)
    precision = run.facts()["precision"] if options.resume else options.precision
    accelerator = _accelerator(options.device, precision)
    for network in (*recipe.networks.values(), *recipe.frozen.values()):
        network.to(accelerator.device, memory_format=layout(network, accelerator.device))  # type: ignore[call-overload]
    if accelerator.device.type == "cuda":
        compile_networks(recipe)
    facts: dict[str, Any]
    if options.resume:
        if (name := run.facts()["name"]) != recipe.name:
            raise TrainingError(
                "{folder} holds a run of {name}; choose another --output.", folder=run.folder, name=name
            )
        facts = run.restore(recipe.networks, recipe.optimizers)
        if accelerator.is_main_process:
            run.forget_after(facts["step"])
    else:
        if accelerator.is_main_process:
            run.start()
        facts = _new_facts(recipe, options, accelerator)
    data = data.to(accelerator.device)
    training = _Loop(recipe, data, run, facts, accelerator)
    try:
        training.go()
    except OSError as problem:
        raise TrainingError(
            "The run could not be written ({problem}); the last state is kept. Free some disk and use --resume.",
            problem=problem,
        ) from problem
    finally:
        if training.board is not None:
            with suppress(OSError):  # a full disk has been told, and would hide it
                training.board.close()
    return run


def _accelerator(name: str, precision: str) -> Accelerator:
    device = choose_device(name)
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)  # which a single process of Accelerate's then takes
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision=precision)
    if device.index is not None and accelerator.num_processes > 1:
        raise DeviceError(
            "Each of the {count} processes takes a device of its own; say --device {kind}, without a number.",
            count=accelerator.num_processes,
            kind=device.type,
        )
    return accelerator


def compile_networks(recipe: Recipe) -> None:
    """Fused kernels for what allows them; a part that cannot be compiled runs as it is."""
    import torch._dynamo

    torch._dynamo.config.suppress_errors = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    for name in recipe.compiled:
        recipe.networks[name].compile()


def _new_facts(recipe: Recipe, options: Options, accelerator: Accelerator) -> dict[str, Any]:
    steps = options.steps or (0 if options.minutes is not None else recipe.steps)
    return {
        "name": recipe.name,
        "step": 0,
        "steps": steps,
        "minutes": None if options.steps else options.minutes,
        "size": options.size,
        "batch": options.batch or recipe.batch,
        "seed": options.seed,
        "seconds": 0.0,
        "precision": options.precision,
        "processes": accelerator.num_processes,
        "hardware": _hardware(accelerator.device),
        "torch": torch.__version__,
        "command": options.command,
        "commit": current_commit(),
    }


def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"


def batches(count: int, batch: int, seed: int, first: int) -> Iterator[Tensor]:
    """Indices (batch,) from step `first` on; each epoch is a permutation of its own, the last part dropped."""
    each = count // batch
    step = first
    while True:
        epoch = step // each
        order = torch.randperm(count, generator=rng_of(seed, epoch, "cpu"))
        for k in range(step % each, each):
            yield order[k * batch : (k + 1) * batch]
            step += 1


class _Loop:
    def __init__(
        self, recipe: Recipe, data: Pictures, run: Run, facts: dict[str, Any], accelerator: Accelerator
    ) -> None:
        self.recipe, self.data, self.run, self.facts, self.accelerator = recipe, data, run, facts, accelerator
        self.batch = min(facts["batch"], len(data))
        self.clock = time.monotonic()
        self.measured_from = facts["step"], facts["seconds"]
        self.moments_shown = 0
        self.board = (
            SummaryWriter(str(run.folder / "tensorboard"), purge_step=facts["step"] + 1)
            if accelerator.is_main_process
            else None
        )

    def go(self) -> None:
        facts = self.facts
        saved, patience = self.clock, 1.0
        steps = facts["steps"] or 10**9  # not planned yet: the first steps give the speed
        order = batches(len(self.data), self.batch, facts["seed"], facts["step"])
        sums: dict[str, Tensor] = {}
        if facts["step"] == 0:
            self._moment(0)
        self.moments_shown = self._moments_by(steps)
        total = facts["steps"] or None
        with tqdm(total=total, initial=facts["step"], unit="step", disable=not self.accelerator.is_main_process) as bar:
            while facts["step"] < steps:
                for key, value in self._step(next(order), steps).items():
                    sums[key] = sums.get(key, 0) + value
                facts["step"] += 1
                bar.update()
                done = facts["step"] == steps
                if facts["step"] % LOG_STEPS == 0 or done:
                    bar.set_postfix_str(f"{self._log(sums):.0f} pictures/s")
                    sums = {}
                    if facts["step"] == SPEED_FROM:
                        self.measured_from = facts["step"], facts["seconds"]
                    if facts["minutes"] is not None and not done and self._plan_is_due():
                        steps = bar.total = facts["steps"] = self._plan()
                        done = facts["step"] == steps
                if self._moments_by(steps) > self.moments_shown:
                    self._moment(facts["step"])
                    self.moments_shown = self._moments_by(steps)
                # After a log: what is saved has been checked to be finite.
                if done or (not sums and time.monotonic() - saved > SAVE_SECONDS * patience):
                    started = time.monotonic()
                    self._save()
                    saved = time.monotonic()
                    patience = max(1.0, (saved - started) / SAVE_COST)

    def _step(self, index: Tensor, steps: int) -> dict[str, Tensor]:
        step = Step(self.accelerator, self.facts["seed"], self.facts["step"], steps, self.batch)
        pictures, labels = self.data[index[step.share].to(self.data.pixels.device)]
        return self.recipe.step(pictures, labels, step)

    def _plan_is_due(self) -> bool:
        step: int = self.facts["step"]
        return step == SPEED_TO or (step > SPEED_TO and step % PLAN_STEPS == 0)

    def _plan(self) -> int:
        """Steps that fit into the minutes at the speed since the last plan, or since the first steps.

        The first process plans for all: they must stop at the same step.
        """
        step, seconds = self.facts["step"], self.facts["seconds"]
        each = (seconds - self.measured_from[1]) / (step - self.measured_from[0])
        self.measured_from = step, seconds
        left = self.facts["minutes"] * 60 - seconds
        return int(broadcast(torch.tensor(step + max(0, int(left / each)), device=self.accelerator.device)))

    def _moments_by(self, steps: int) -> int:
        """Of about 30 moments those that are past, closer together at first, where a picture changes most."""
        return int((MOMENTS - 1) * (self.facts["step"] / steps) ** 0.5)

    def _moment(self, step: int) -> None:
        if self.board is None or (pictures := self.recipe.preview()) is None:
            return
        sheet = grid(to_pictures(pictures), columns=5)
        file = self.run.moments / f"{step:07d}"
        if pictures.shape[1] == 1:
            sheet.convert("L").save(file.with_suffix(".png"))
        else:
            sheet.save(file.with_suffix(".webp"), quality=MOMENT_QUALITY)  # a tenth of a PNG of photos
        self.board.add_images("samples", (pictures.float().cpu() + 1) / 2, step)

    def _log(self, sums: dict[str, Tensor]) -> float:
        """Check and write the mean losses since the last log; returns pictures a second.

        They are means over the processes too, so that what is not finite in one of them stops all.
        """
        steps = (self.facts["step"] - 1) % LOG_STEPS + 1
        means = self.accelerator.reduce(torch.stack([value.float() for value in sums.values()]), "mean") / steps
        losses = dict(zip(sums, means.tolist(), strict=True))
        for key, value in losses.items():
            if value != value or abs(value) == float("inf"):
                raise TrainingError(
                    "{loss} is {value} at step {step}. The last good state is kept; try --precision no.",
                    loss=key,
                    value=value,
                    step=self.facts["step"],
                )
        now = time.monotonic()
        speed: float = steps * self.batch / max(now - self.clock, 1e-9)
        self.facts["seconds"] += now - self.clock
        self.clock = now
        if self.board is not None:
            for key, value in losses.items():
                self.board.add_scalar(key, value, self.facts["step"])
            self.board.add_scalar("pictures a second", speed, self.facts["step"])
            self.run.log({"step": self.facts["step"], "seconds": round(self.facts["seconds"], 1), **losses})
        return speed

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            self.run.save(self.recipe.networks, self.recipe.optimizers, self.facts)
