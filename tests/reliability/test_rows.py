"""Each of the 32 rows of bad inputs is tested in this folder, under its number."""

import re
from pathlib import Path

LATER = {19: "no tab has a mask yet", 30: "no proxy is run in the tests"}
"""Rows without a test, and why."""


def rows_under_test() -> set[int]:
    """Of `test_row_7_...`, `test_rows_1_and_2_...`, `test_rows_3_to_7_...` and `test_rows_23_27_and_29_...`."""
    found: set[int] = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        for named in re.findall(r"def test_rows?_((?:\d+_|and_|to_)+)", path.read_text("utf-8")):
            numbers = [int(number) for number in re.findall(r"\d+", named)]
            found |= set(range(numbers[0], numbers[1] + 1)) if "to_" in named else set(numbers)
    return found


def test_every_row_has_a_test() -> None:
    assert sorted(rows_under_test() | LATER.keys()) == list(range(1, 33))
    assert not rows_under_test() & LATER.keys()
