"""The Dockerfile copies what there is, and what it runs starts the app from these files alone."""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path

import httpx
from e2e.visiting import running
from serving import ROOT

INSTRUCTIONS = [
    line.split(None, 1) for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")
]


def of(name: str) -> list[str]:
    return [rest for instruction, rest in INSTRUCTIONS if instruction == name]


def copied() -> list[str]:
    return [source for rest in of("COPY") for source in rest.split()[:-1]]


def test_it_copies_what_git_has_and_the_context_lets_through() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for source in copied():
        assert any(name == source or name.startswith(f"{source}/") for name in tracked), source
        assert f"!{source}" in ignored


def test_its_python_is_one_that_the_project_supports() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    (image,) = of("FROM")
    assert image.startswith("python:3.")
    assert int(image.split(":3.")[1].split("-")[0]) >= int(needed.removeprefix(">=3."))


def test_what_it_runs_starts_the_app_from_what_it_copied(checkpoints: Path, tmp_path: Path) -> None:
    """With tiny checkpoints in the place of the shipped ones."""
    for source in set(copied()) - {"checkpoints"}:
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, tmp_path / source)
    python, *program = json.loads(of("CMD")[0])
    assert python == "python"
    with running(tmp_path / "log.txt", checkpoints, program=(str(tmp_path / program[0]), *program[1:])) as app:
        port = app.url.rpartition(":")[2]
        assert httpx.get(f"http://localhost:{port}/", trust_env=False).status_code == 200
        assert (
            httpx.get(f"http://localhost:{port}/", headers={"Host": "evil.example"}, trust_env=False).status_code == 403
        )
