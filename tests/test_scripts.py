"""Scripts that make what the README shows, tried on tiny networks."""

import importlib.util
from argparse import Namespace
from pathlib import Path
from types import ModuleType

from made_up_style import STYLES
from serving import ROOT

from imagegen.store import ModelStore
from imagegen.training.recipes import RECIPES, build


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_grid_of_styles_has_a_row_for_each_photo_and_a_column_for_each_style(store: ModelStore) -> None:
    style_grid = script("style_grid")
    sheet = style_grid.painted(store, side=32)
    columns, rows, step = 1 + len(STYLES), len(style_grid.PHOTOS), 32 + style_grid.GAP
    assert sheet.size == (columns * step - style_grid.GAP, rows * step - style_grid.GAP)
    cells = [
        sheet.crop((x * step, y * step, x * step + 32, y * step + 32)).tobytes()
        for y in range(rows)
        for x in range(columns)
    ]
    assert len(set(cells)) == len(cells)


def test_every_recipe_is_trained_by_a_command_that_gives_it_its_data(tmp_path: Path) -> None:
    train_all = script("train_all")
    options = Namespace(size="small", data=Path("data"), features=None, output=tmp_path, device="cpu")
    for name in RECIPES:
        command = train_all.train_command(name, 1, options).split(" && ")[0].split()
        given = [command[i + 1] for i, word in enumerate(command) if word == "--data"]
        needs = build(name, "small", seed=0).needs
        assert len(given) == len(needs) - (name in needs), "its earlier self is not there yet"
        assert given[0].startswith("data/")
    assert train_all.train_command("srgan-x4", 1, options).count(f"--data {tmp_path / 'checkpoints' / 'sr-x4'} ") == 2
