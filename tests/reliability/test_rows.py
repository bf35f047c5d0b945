"""Each of the 32 rows of bad inputs is tested in this folder, under its number."""

import re
from pathlib import Path

LATER = {19: "no tab has a mask yet"}
"""Rows that nothing in the app can meet."""


def rows_under_test() -> set[int]:
    """Of `test_row_7_...`, `test_rows_1_and_2_...` and `test_rows_3_to_7_...`."""
    found = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for first, word, last in re.findall(r"def test_rows?_(\d+)(?:_(and|to)_(\d+))?_", path.read_text("utf-8")):
            found |= set(range(int(first), int(last) + 1)) if word == "to" else {int(first), int(last or first)}
    return found


def test_every_row_has_a_test() -> None:
    assert sorted(rows_under_test() | LATER.keys()) == list(range(1, 33))
    assert not rows_under_test() & LATER.keys()
