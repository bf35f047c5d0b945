"""The loop: what it saves and when, resuming to the bit, and every way a run can be cut off."""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import Tensor, nn

from imagegen.data.pictures import Pictures, Sources
from imagegen.errors import DeviceError, TrainingError
from imagegen.training import loop
from imagegen.training.loop import Options, batches, train
from imagegen.training.recipe import Export, Step, follow, young_decay
from imagegen.training.recipes import RECIPES, build, made_up_data
from imagegen.training.run import Run

pytestmark = pytest.mark.usefixtures("new_accelerator")
ROOT = Path(__file__).parents[2]


class Mean:
    """The smallest recipe: one number that learns the mean of the pictures."""

    name = "mean"
    needs: tuple[str, ...] = ()
    steps = 10
    batch = 4
    compiled: tuple[str, ...] = ()

    def __init__(self, before_step: Callable[[Step], float | None] = lambda _: None) -> None:
        self.before_step = before_step
        self.frozen: dict[str, nn.Module] = {}
        self.model = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.model.weight)
        self.networks: dict[str, nn.Module] = {"model": self.model}
        self.optimizers: dict[str, torch.optim.Optimizer] = {"sgd": torch.optim.SGD(self.model.parameters())}

    def load_data(self, sources: Sources) -> Pictures:
        return self.made_up_data()

    def made_up_data(self) -> Pictures:
        levels = torch.arange(16, dtype=torch.uint8).reshape(16, 1, 1, 1)
        return Pictures(levels, torch.arange(16))

    def step(self, pictures: Tensor, labels: Tensor, step: Step) -> dict[str, Tensor]:
        loss = (self.model(torch.ones(1)) - pictures.mean()).square().sum() * (self.before_step(step) or 1)
        step.update(self.optimizers["sgd"], loss, lr=0.1)
        return {"loss": loss.detach()}

    def preview(self) -> None:
        return None

    def exports(self, sources: Sources) -> list[Export]:
        return []


def run(recipe: Any, folder: Path, steps: int | None = None, **options: Any) -> Run:
    chosen = {"batch": 4, "device": "cpu", "precision": "no"} | options
    return train(recipe, made_up_data(recipe), Options(folder, steps=steps, **chosen))


def stop_at(index: int) -> Callable[[Step], None]:
    def stop(step: Step) -> None:
        if step.index == index:
            raise KeyboardInterrupt

    return stop


@pytest.fixture
def save_every_2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_STEPS", 2)
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1)


def test_a_run_goes_to_its_planned_end_and_tells_what_it_did(tmp_path: Path) -> None:
    facts = run(Mean(), tmp_path, seed=7, command="train mean").facts()
    assert (facts["name"], facts["step"], facts["steps"], facts["batch"], facts["seed"]) == ("mean", 10, 10, 4, 7)
    assert facts["command"] == "train mean"
    assert facts["seconds"] > 0
    assert "CPU" in facts["hardware"]
    history = Run(tmp_path).read_history()
    assert [line["step"] for line in history] == [10]


def test_curves_reach_tensorboard_to_the_last_step(tmp_path: Path, save_every_2: None) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(Mean(), tmp_path, steps=100)
    curves = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    for name in ("loss", "pictures a second"):
        assert [event.step for event in curves.Scalars(name)] == list(range(2, 101, 2))


def test_without_steps_the_recipe_says_how_many(tmp_path: Path) -> None:
    recipe = Mean()
    recipe.steps = 12
    run = train(recipe, recipe.made_up_data(), Options(tmp_path, device="cpu", precision="no"))
    assert run.facts()["steps"] == run.facts()["step"] == 12


def test_minutes_are_turned_into_as_many_steps_as_fit(tmp_path: Path) -> None:
    recipe = Mean(lambda _: time.sleep(0.005))
    facts = run(recipe, tmp_path, minutes=1.5 / 60).facts()
    assert facts["step"] == facts["steps"]
    assert 0.5 < facts["seconds"] < 3


def test_minutes_are_planned_anew_when_later_steps_are_slower(tmp_path: Path) -> None:
    facts = run(Mean(lambda step: time.sleep(0.002 if step.index < 100 else 0.02)), tmp_path, minutes=2.5 / 60).facts()
    assert facts["step"] == facts["steps"] < 600  # the first steps alone would plan a thousand, of twenty seconds
    assert facts["seconds"] < 6


def test_a_run_by_minutes_can_be_resumed_before_it_is_planned(tmp_path: Path, save_every_2: None) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Mean(stop_at(30)), tmp_path, minutes=2 / 60)
    assert Run(tmp_path).facts()["steps"] == 0
    facts = run(Mean(lambda _: time.sleep(0.005)), tmp_path, resume=True).facts()
    assert facts["step"] == facts["steps"] > 50


@pytest.mark.parametrize(("name", "precision"), [*((name, "bf16") for name in RECIPES), ("gan-mnist", "no")])
def test_a_resumed_run_is_the_same_to_the_bit(
    name: str, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save_every_2: None
) -> None:
    monkeypatch.setattr(loop, "MOMENTS", 2)  # pictures in between take most of the time
    options = {"steps": 4, "seed": 3, "precision": precision, "batch": 4}
    whole = run(build(name, "small", seed=3), tmp_path / "whole", **options)

    recipe = build(name, "small", seed=3)
    step = recipe.step
    monkeypatch.setattr(
        recipe, "step", lambda pictures, labels, at: stop_at(3)(at) or step(pictures, labels, at), raising=True
    )
    with pytest.raises(KeyboardInterrupt):
        run(recipe, tmp_path / "parts", **options)
    parts = Run(tmp_path / "parts")
    assert parts.facts()["step"] == 2
    run(build(name, "small", seed=99), tmp_path / "parts", resume=True, **options)

    assert parts.facts()["step"] == 4
    expected, resumed = load_file(whole.state), load_file(parts.state)
    assert expected.keys() == resumed.keys()
    assert [key for key in expected if not torch.equal(expected[key], resumed[key])] == []
    assert [line["step"] for line in parts.read_history()] == [2, 4]


KILLED_RUN = """
import sys
from imagegen.cli import app
from imagegen.training import loop
loop.LOG_STEPS, loop.SAVE_SECONDS = 2, -1
sys.argv[1:] = ["train", "digit-classifier", *sys.argv[1:]]
app()
"""


def test_a_killed_run_resumes(mnist_root: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    options = [
        f"--data={mnist_root}",
        f"--output={output}",
        "--steps=40",
        "--batch=8",
        "--device=cpu",
        "--precision=no",
    ]
    command = [sys.executable, "-W", "ignore", "-c", KILLED_RUN, *options]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    while not Run(output).state.exists():
        assert process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(timeout=10) == -signal.SIGKILL
    killed_at = Run(output).facts()["step"]
    assert 0 < killed_at < 40

    done = subprocess.run([*command, "--resume"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert Run(output).facts()["step"] == 40
    assert [line["step"] for line in Run(output).read_history()] == list(range(2, 41, 2))


def test_a_run_is_resumed_as_it_was_planned(tmp_path: Path, save_every_2: None) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Mean(stop_at(5)), tmp_path, precision="bf16")
    AcceleratorState._reset_state(reset_partial_state=True)
    said: list[str] = []
    run(Mean(lambda step: said.append(step.accelerator.mixed_precision)), tmp_path, resume=True, steps=99, batch=2)
    assert said == ["bf16"] * 6
    facts = Run(tmp_path).facts()
    assert (facts["step"], facts["batch"], facts["precision"]) == (10, 4, "bf16")


def test_resuming_adds_no_picture_to_the_time_lapse(tmp_path: Path, save_every_2: None) -> None:
    cut, whole = Mean(stop_at(5)), Mean()
    cut.preview = whole.preview = lambda: torch.zeros(1, 1, 4, 4)  # type: ignore[method-assign, assignment]
    with pytest.raises(KeyboardInterrupt):
        run(cut, tmp_path, steps=1_000)
    before = sorted(path.name for path in Run(tmp_path).moments.iterdir())
    assert "0000004.png" not in before
    whole.before_step = stop_at(4)
    with pytest.raises(KeyboardInterrupt):
        run(whole, tmp_path, resume=True)
    after = sorted(path.name for path in Run(tmp_path).moments.iterdir())
    assert after == [name for name in before if name <= "0000004.png"]


def test_a_state_of_other_shapes_is_one_line(tmp_path: Path) -> None:
    run(Mean(), tmp_path)
    for changed in (nn.Linear(2, 1, bias=False), nn.Linear(1, 1)):
        other = Mean()
        other.networks["model"] = changed
        with pytest.raises(TrainingError, match=r"state.safetensors does not fit: ") as caught:
            run(other, tmp_path, resume=True)
        assert "\n" not in str(caught.value)


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    state = run(Mean(), tmp_path).state.read_bytes()
    assert run(Mean(), tmp_path, resume=True).state.read_bytes() == state


def test_what_a_resumed_run_will_make_again_is_forgotten(tmp_path: Path, save_every_2: None) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(Mean(stop_at(5)), tmp_path)
    cut = Run(tmp_path)
    assert cut.facts()["step"] == 4
    cut.log({"step": 6, "loss": 0.0})
    for step in (0, 4, 6):
        (cut.moments / f"{step:07d}.png").touch()
    run(Mean(), tmp_path, resume=True)
    assert [line["step"] for line in cut.read_history()] == [2, 4, 6, 8, 10]
    assert [line["loss"] > 0 for line in cut.read_history()] == [True] * 5
    assert sorted(path.name for path in cut.moments.iterdir()) == ["0000000.png", "0000004.png"]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_and_leaves_the_last_good_state(
    value: float, tmp_path: Path, save_every_2: None
) -> None:
    with pytest.raises(TrainingError, match=rf"loss is {value} at step 6. The last good state is kept"):
        run(Mean(lambda step: value if step.index == 4 else None), tmp_path)
    assert Run(tmp_path).facts()["step"] == 4
    assert load_file(Run(tmp_path).state)["model/weight"].isfinite().all()
    assert run(Mean(), tmp_path, resume=True).facts()["step"] == 10


def test_a_new_run_does_not_overwrite_another(tmp_path: Path) -> None:
    state = run(Mean(), tmp_path).state.read_bytes()
    with pytest.raises(TrainingError, match="add --resume or choose another --output"):
        run(Mean(), tmp_path)
    assert Run(tmp_path).state.read_bytes() == state


def test_a_run_of_another_recipe_is_not_resumed(tmp_path: Path) -> None:
    state = run(Mean(), tmp_path).state.read_bytes()
    with pytest.raises(TrainingError, match="holds a run of mean; choose another --output"):
        run(build("digit-classifier", "small", seed=0), tmp_path, resume=True)
    assert Run(tmp_path).state.read_bytes() == state


@pytest.mark.parametrize("content", [None, b"", b"not a state", (2**60).to_bytes(8, "little") + b"{}"])
def test_there_must_be_a_state_to_resume(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "state.safetensors").write_bytes(content)
    with pytest.raises(TrainingError, match="is not there or cannot be read"):
        run(Mean(), tmp_path, resume=True)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="choose auto, cuda, cpu or mps"):
        run(Mean(), tmp_path, device="gpu")


@contextmanager
def no_room_for(size: int) -> Iterator[None]:
    """Files cannot grow beyond `size` bytes."""
    resource = pytest.importorskip("resource", reason="limits the size of files as Unix does")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_state_before(tmp_path: Path) -> None:
    full = run(Mean(), tmp_path, steps=2)
    files = {path: path.read_bytes() for path in tmp_path.glob("state*")}
    recipe = Mean()
    with (
        pytest.raises(TrainingError, match=r"could not be written .* Free some disk and use --resume"),
        no_room_for(64),
    ):
        full.save(recipe.networks, recipe.optimizers, {"step": 9})
    assert {path: path.read_bytes() for path in tmp_path.glob("state*")} == files


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of the curves' writer
def test_a_disk_that_fills_up_in_a_run_leaves_a_state_to_resume(tmp_path: Path, save_every_2: None) -> None:
    """Curves and history grow past what there is room for, long after the first state was saved."""
    with (
        pytest.raises(TrainingError, match=r"could not be written .* Free some disk and use --resume"),
        no_room_for(2_000),
    ):
        run(Mean(), tmp_path, steps=1_000)
    stopped_at = Run(tmp_path).facts()["step"]
    assert 0 < stopped_at < 1_000
    assert load_file(Run(tmp_path).state)["model/weight"].isfinite().all()
    assert run(Mean(), tmp_path, resume=True).facts()["step"] == 1_000


def test_an_epoch_shows_every_picture_once() -> None:
    order = batches(count=12, batch=4, seed=5, first=0)
    epochs = [torch.cat([next(order) for _ in range(3)]) for _ in range(2)]
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(12))
    assert not torch.equal(*epochs)


def test_the_order_goes_on_where_it_was_left() -> None:
    order = batches(count=13, batch=4, seed=5, first=0)
    whole = [next(order) for _ in range(8)]
    for first in (1, 3, 5):
        resumed = batches(count=13, batch=4, seed=5, first=first)
        assert torch.equal(torch.stack([next(resumed) for _ in range(8 - first)]), torch.stack(whole[first:]))


def test_another_seed_is_another_order() -> None:
    assert not torch.equal(*(next(batches(count=99, batch=99, seed=seed, first=0)) for seed in (5, 6)))


def step_of(processes: int, process: int, index: int = 3, seed: int = 11) -> Step:
    place: Any = SimpleNamespace(num_processes=processes, process_index=process, device=torch.device("cpu"))
    return Step(place, seed=seed, index=index, total=10, batch=8)


def test_any_number_of_processes_draws_the_same() -> None:
    alone = step_of(1, 0)
    shares = [step_of(2, 0), step_of(2, 1)]
    order = torch.arange(8)
    assert torch.equal(torch.cat([order[step.share] for step in shares]), order[alone.share])
    for draw in (lambda step: step.normal(3), lambda step: step.uniform(2), lambda step: step.normal()):
        assert torch.equal(torch.cat([draw(step) for step in shares]), draw(alone))


def test_each_step_of_each_seed_draws_anew_and_always_the_same() -> None:
    assert torch.equal(step_of(1, 0).normal(5), step_of(1, 0).normal(5))
    assert not torch.equal(step_of(1, 0).normal(5), step_of(1, 0, index=4).normal(5))
    assert not torch.equal(step_of(1, 0).normal(5), step_of(1, 0, seed=12).normal(5))
    again = step_of(1, 0)
    assert not torch.equal(again.normal(5), again.normal(5))


def test_an_average_forgets_its_start() -> None:
    assert [young_decay(0.99, index) for index in (0, 8, 10_000)] == [0.1, 0.5, 0.99]


def test_an_average_follows_weights_and_copies_counters() -> None:
    average, model = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.constant_(average.weight, 1)
    nn.init.constant_(model.weight, 3)
    model(torch.ones(4, 2))
    follow(average, model, decay=0.75)
    assert average.weight.tolist() == [1.5, 1.5]
    assert average.num_batches_tracked == 1
    assert torch.equal(average.running_mean, model.running_mean)
