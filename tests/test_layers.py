"""Who may import whom: layers from the design, read off the imports themselves."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "imagegen"
MODULES = sorted(PACKAGE.rglob("*.py"))

LAYERS = (
    {"errors", "images", "devices", "data", "recipes", "cards"},
    {"models"},
    {"checkpoints", "store"},
    {"engines"},
    {"tasks"},
    {"evaluation"},
    {"training"},
    {"ui"},
    {"cli", "__main__"},
)
"""Lowest first; a module may import its own layer and any lower one."""

SLOW = {"diffusers", "transformers", "torchvision"}
"""What opening the page must not wait for."""


def name_of(module: Path) -> str:
    return module.relative_to(PACKAGE).as_posix()


def imported(node: ast.AST, into_functions: bool) -> Iterator[str]:
    """Dotted names of what is imported below `node`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        elif into_functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imported(child, into_functions)


def parse(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"))


def layer(part: str) -> int:
    return next(i for i, parts in enumerate(LAYERS) if part in parts)


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_imports_go_down_only(module: Path) -> None:
    own = module.relative_to(PACKAGE).with_suffix("").parts[0]
    if own == "__init__":
        assert not list(imported(parse(module), into_functions=True))
        return
    for name in imported(parse(module), into_functions=True):
        top, *inner = name.split(".")
        assert top not in ("app", "tests")
        if top == "imagegen" and inner != ["__version__"]:
            assert layer(inner[0]) <= layer(own), f"{name_of(module)} imports {name}"


@pytest.mark.parametrize("module", [*MODULES, ROOT / "app.py"], ids=lambda module: module.name)
def test_gradio_is_imported_in_ui_only(module: Path) -> None:
    if PACKAGE / "ui" not in module.parents:
        packages = {name.split(".")[0] for name in imported(parse(module), into_functions=True)}
        assert not packages & {"gradio", "gradio_client"}


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_slow_libraries_are_imported_where_they_are_needed(module: Path) -> None:
    assert not {name.split(".")[0] for name in imported(parse(module), into_functions=False)} & SLOW


def test_opening_the_page_imports_neither_diffusers_nor_transformers(checkpoints: Path) -> None:
    program = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from imagegen.store import ModelStore\n"
        "from imagegen.ui import create_app, look\n"
        "from imagegen.ui.launch import Settings\n"
        "create_app(ModelStore(Path(sys.argv[1]), torch.device('cpu')))\n"
        "look(Settings())\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(checkpoints)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    packages = set(result.stdout.split())
    assert "gradio" in packages
    assert not packages & {"diffusers", "transformers"}
