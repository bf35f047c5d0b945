"""Train what is missing or worst first, within a budget of minutes, and publish each as it is done.

A run is saved every 20 seconds and goes on where it stopped when the script is called again.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
import typer

from imagegen.cards import Card
from imagegen.errors import ImageGenError
from imagegen.store import ModelStore
from imagegen.training.classic_gan import BROKEN
from imagegen.training.recipes import RECIPES, SIZES, build
from imagegen.training.run import Run

DATA = {"mnist": "mnist", "celeba": "celeba64", "emoji": "emoji64", "photos": "photos", "styles": "styles"}
"""Folder below --data of each data set that a recipe may need."""

AFTER = {"ddpm-celeba": "face-autoencoder", "sd-mini": "face-autoencoder", "srgan-x4": "sr-x4"}
"""What is built on another checkpoint."""

WEIGHTS = {
    "sd-mini": 4.0,
    "ddpm-celeba": 3.0,
    "style-fast": 3.0,
    "face-autoencoder": 2.0,
    "srgan-x4": 2.0,
    "sr-x4": 2.0,
    **dict.fromkeys(BROKEN, 0.1),
}
"""Shares of the budget; 1 for the rest."""

PUBLISHING = 0.5
"""Minutes kept back to load data and to publish."""


@dataclass
class Job:
    name: str
    process: subprocess.Popen[bytes]


def urgency(card: Card | None, on_gpu: bool) -> int | None:
    """0: missing. 1: trained on a CPU while a GPU is here. 2: misses what it is held against. None: good."""
    if card is None:
        return 0
    if on_gpu and "CPU" in str(card.training.get("hardware", "")):
        return 1
    return 2 if any(misses(figure) for figure in card.figures.values()) else None


def misses(figure: dict[str, object]) -> bool:
    """Whether a figure lies on the wrong side of what its card holds it against, such as `≤ 1.46`."""
    bar = re.match(r"([≤≥]) ([\d.]+)", str(figure.get("bar", "")))
    if bar is None:
        return False
    value, limit = float(str(figure["value"])), float(bar[2])
    return value > limit if bar[1] == "≤" else value < limit


def ordered(names: Iterable[str], store: ModelStore, on_gpu: bool) -> list[str]:
    """The names that need training, most urgent first, but never before what they are built on."""
    urgencies = {name: urgency(card_of(store, name), on_gpu) for name in names}
    wanted = {name: value for name, value in urgencies.items() if value is not None}
    for name, base in AFTER.items():
        if name in wanted and base in wanted:
            wanted[base] = min(wanted[base], wanted[name])
    return sorted(wanted, key=lambda name: (wanted[name], name in AFTER, -WEIGHTS.get(name, 1.0)))


def card_of(store: ModelStore, name: str) -> Card | None:
    try:
        return store.checkpoint(name).card()
    except ImageGenError:
        return None


def train_command(name: str, minutes: float, options: argparse.Namespace) -> str:
    """One shell line: train, or go on, then publish."""
    recipe = build(name, options.size, seed=0)
    begins = {AFTER[name]: options.output / "checkpoints" / AFTER[name]} if name in AFTER else {}
    places = begins | {need: options.data / folder for need, folder in DATA.items()}
    sources = [f"--data {places[need]}" for need in recipe.needs if need in places]
    if options.features is not None:
        sources.append(f"--features {options.features}")
    run = options.output / "runs" / name
    known = " ".join([*sources, f"--checkpoints {options.output / 'checkpoints'}"])
    resume = "--resume" if Run(run).state.exists() else f"--minutes {minutes:.2f}"
    python = f"{sys.executable} -m imagegen"
    train = f"{python} train {name} --size {options.size} {resume} --device {options.device} --output {run} {known}"
    return f"{train} && {python} publish {run} {known}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", type=float, required=True, help="minutes")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("IMAGEGEN_DATA", "data")))
    parser.add_argument("--features", type=Path)
    parser.add_argument("--output", type=Path, default=Path())
    parser.add_argument("--size", choices=SIZES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, help="trainings at a time; 4 on a GPU, 1 on a CPU")
    parser.add_argument("names", nargs="*", help="all by default")
    options = parser.parse_args()
    on_gpu = torch.cuda.is_available() and options.device != "cpu"
    options.size = options.size or ("large" if on_gpu else "small")
    jobs = options.jobs or (4 if on_gpu else 1)
    store = ModelStore(options.output / "checkpoints", torch.device("cpu"))
    waiting = options.names or ordered(RECIPES, store, on_gpu)
    Schedule(waiting, options, jobs).go()


class Schedule:
    """Runs the waiting trainings, `jobs` at a time, in shares of what is left of the budget."""

    def __init__(self, waiting: list[str], options: argparse.Namespace, jobs: int) -> None:
        self.waiting, self.options, self.jobs = waiting, options, jobs
        self.end = time.monotonic() + options.budget * 60
        self.running: list[Job] = []

    def left(self) -> float:
        return float(self.end - time.monotonic()) / 60

    def go(self) -> None:
        while self.waiting or self.running:
            self.collect()
            while len(self.running) < self.jobs and (name := self.next_name()):
                self.start(name)
            if not self.running and not self.next_name():
                break
            time.sleep(1)
        if self.waiting:
            typer.echo(f"No time was left for {', '.join(self.waiting)}.")

    def next_name(self) -> str | None:
        """The first that is not waiting for another, if there is time for it."""
        busy = {job.name for job in self.running} | set(self.waiting)
        ready = (name for name in self.waiting if AFTER.get(name) not in busy)
        return next(ready, None) if self.left() > 2 * PUBLISHING else None

    def start(self, name: str) -> None:
        self.waiting.remove(name)
        rest = sum(WEIGHTS.get(other, 1.0) for other in (name, *self.waiting))
        share = WEIGHTS.get(name, 1.0) / rest * self.left() * self.jobs
        minutes = min(share, self.left()) - PUBLISHING
        environment = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.jobs)), **os.environ}
        log = self.options.output / "logs" / f"{name}.txt"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = train_command(name, max(minutes, 0.1), self.options)
        typer.echo(f"{self.left():.1f} minutes left: {command}")
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, shell=True, stdout=output, stderr=output, env=environment, start_new_session=True
            )
        self.running.append(Job(name, process))

    def collect(self) -> None:
        """Report what has ended; at the end of the budget, stop what still runs: it is saved."""
        for job in list(self.running):
            if self.left() < 0:
                os.killpg(job.process.pid, signal.SIGTERM)
                job.process.wait()
            if (code := job.process.poll()) is not None:
                self.running.remove(job)
                typer.echo(f"{job.name}: {'done' if code == 0 else f'stopped with {code}, see its log'}")


if __name__ == "__main__":
    main()
