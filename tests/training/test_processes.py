"""Two real processes train as one does: same gradient, same number of steps, same end."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from imagegen.training.loop import SPEED_TO, Options, train
from imagegen.training.recipes import build
from imagegen.training.run import Run

ROOT = Path(__file__).parents[2]
WORKER = """
import json, math, os, sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

from safetensors.torch import save_file

from imagegen.errors import ImageGenError
from imagegen.training import loop
from imagegen.training.loop import Options, train
from imagegen.training.recipes import build

folder, rank = Path(sys.argv[1]), os.environ["RANK"]
told = {}


def attempt(case, spoil=lambda losses: losses, device="cpu", **options):
    recipe = build("gan-mnist-mlp", "small", seed=3)
    taken, honest = [], recipe.step

    def step(pictures, labels, at):
        taken.append(at.index)
        losses = honest(pictures, labels, at)
        return spoil(losses) if at.index == 3 else losses

    recipe.step = step
    try:
        train(
            recipe,
            recipe.made_up_data(),
            Options(folder / case / rank, batch=16, seed=3, precision="no", device=device, **options),
        )
        error = ""
    except ImageGenError as problem:
        error = str(problem)
    told[case] = {"steps": len(taken), "error": error}
    return recipe


second = rank == "1"
recipe = attempt("gradient", steps=1)
if not second:
    gradients = {
        f"{name}/{key}": parameter.grad
        for name in ("generator", "discriminator")
        for key, parameter in recipe.networks[name].named_parameters()
    }
    save_file(gradients, folder / "gradients.safetensors")
attempt("nan", steps=40, spoil=lambda losses: losses | ({"loss D": losses["loss D"] * math.nan} if second else {}))
attempt("numbered", steps=2, device="cpu:0")
loop.time = SimpleNamespace(monotonic=count(step=2 if second else 1).__next__)  # the second seems half as fast
attempt("minutes", minutes=20 / 60)
(folder / f"{rank}.json").write_text(json.dumps(told))
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left: a folder of their own for each case and process, and what each of them saw."""
    folder = tmp_path_factory.mktemp("both")
    (folder / "worker.py").write_text(WORKER)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, folder / "worker.py", folder],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return folder


def told(folder: Path, case: str) -> list[dict[str, Any]]:
    return [json.loads((folder / f"{rank}.json").read_text())[case] for rank in (0, 1)]


@pytest.mark.usefixtures("new_accelerator")
def test_gradient_and_losses_are_those_of_one_process_at_the_same_whole_batch(both: Path, tmp_path: Path) -> None:
    recipe = build("gan-mnist-mlp", "small", seed=3)
    options = Options(tmp_path, steps=1, batch=16, seed=3, precision="no", device="cpu")
    (alone,) = train(recipe, recipe.made_up_data(), options).read_history()
    together = load_file(both / "gradients.safetensors")
    for name in ("generator", "discriminator"):
        for key, parameter in recipe.networks[name].named_parameters():
            assert parameter.grad is not None
            assert parameter.grad.abs().max() > 1e-4
            assert torch.allclose(together[f"{name}/{key}"], parameter.grad, rtol=0, atol=1e-5)
    (line,) = Run(both / "gradient" / "0").read_history()
    assert line | {"seconds": 0} == pytest.approx(alone | {"seconds": 0}, rel=1e-4)


def test_minutes_are_planned_by_the_first_for_both(both: Path) -> None:
    steps = Run(both / "minutes" / "0").facts()["steps"]
    assert [process["steps"] for process in told(both, "minutes")] == [steps, steps]
    assert steps > SPEED_TO + 10  # the second would have planned fewer


def test_what_is_not_finite_in_one_stops_both(both: Path) -> None:
    first, second = told(both, "nan")
    assert first == second
    assert first["steps"] == 10
    assert first["error"].startswith("loss D is nan at step 10.")


def test_a_numbered_device_is_refused(both: Path) -> None:
    for process in told(both, "numbered"):
        assert (
            process["error"] == "Each of the 2 processes takes a device of its own; say --device cpu, without a number."
        )


def test_only_the_first_process_writes(both: Path) -> None:
    assert sorted(path.name for path in both.glob("*/*") if path.is_dir()) == ["0", "0", "0"]
    assert {path.parent.name for path in both.glob("*/0")} == {"gradient", "minutes", "nan"}
