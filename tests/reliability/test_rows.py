"""Each of the 32 rows of bad inputs is tested under its number; the README beside this file says where.

Write its table anew with `python tests/reliability/test_rows.py`.
"""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
README = Path(__file__).with_name("README.md")
ROWS = [
    "PNG of 50,000×50,000", "PNG of 144 megapixels in 18 kB", "animated GIF", "CMYK JPEG, palette PNG, LA",
    "16-bit PNG",
    "EXIF orientation", "transparency", "1×1, 1×4000", "SVG or HTML named .png, PNG named .gif", "truncated, empty",
    "NaN, ±inf in a number", "steps = 1e9, 10.5, true, \"10\"", "seed = 10^400, -1", "prompt of 100 kB, 50 MB",
    "emoji, Chinese, right-to-left, zero-width prompt", "NUL and control bytes", "data:, file: or metadata URL",
    "path traversal", "empty, full, wrong-sized mask", "checkpoint truncated or with a wrong hash", "pickle checkpoint",
    "NaN in weights or in an output", "disk full, read-only cache", "out of GPU memory",
    "client gone, cancel in mid-run",
    "100 users at once", "SIGTERM in a run", "port in use", "no network", "behind a proxy with a root path",
    "cross-origin upload, forged Host", "two users, same seed",
]  # fmt: skip
INTRODUCTION = """# Bad inputs and faults

What is refused is refused with a message that names the limit, and the next valid request succeeds. Files with `page`,
`line`, `faults` or `proxied` in their name look at the page in a browser, at least in part; those in `engines/` and
`tasks/` and `test_cuda.py` call the functions themselves; the others send over HTTP what a program sends, and some what
the page sends. What an upload is taken for (rows 3 to 8) is decided in one component for all tabs and endpoints,
which is asked over HTTP. `make test` runs a slice of what is long, `make reliability` all of it.

"""


def rows_under_test() -> dict[int, list[str]]:
    """Of `test_row_7_...`, `test_rows_1_and_2_...`, `test_rows_3_to_7_...` and `test_rows_23_27_and_29_...`."""
    found: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            named = re.match(r"test_rows?_((?:\d+_|and_|to_)+)", getattr(node, "name", ""))
            if not named:
                continue
            numbers = [int(number) for number in re.findall(r"\d+", named[1])]
            name = f"{path.relative_to(TESTS).as_posix()}::{getattr(node, 'name', '')}"
            for row in range(numbers[0], numbers[1] + 1) if "to_" in named[1] else numbers:
                found.setdefault(row, []).append(name)
    return found


def table() -> str:
    found = rows_under_test()
    lines = [
        f"| {row} | {what} | {'<br>'.join(f'`{name}`' for name in found.get(row, []))} |"
        for row, what in enumerate(ROWS, start=1)
    ]
    return "\n".join(["| # | input or fault | tests |", "| --- | --- | --- |", *lines, ""])


def test_every_row_has_a_test_in_this_folder_or_another() -> None:
    assert sorted(rows_under_test()) == list(range(1, 33))
    assert len(ROWS) == 32


def test_the_index_says_where_they_are() -> None:
    assert README.read_text("utf-8") == INTRODUCTION + table(), "write it anew, as this file says"


if __name__ == "__main__":
    README.write_text(INTRODUCTION + table(), "utf-8")
