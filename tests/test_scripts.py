"""Scripts that make what the README shows, tried on tiny networks."""

import importlib.util
from types import ModuleType

from made_up_style import STYLES
from serving import ROOT

from imagegen.store import ModelStore


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
