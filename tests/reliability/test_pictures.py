"""Rows 1 to 10, 17 and 18 of the bad inputs, for every picture that an endpoint takes.

Each is taken for what it shows or refused with a message that says what to do, never with a 500, a traceback or an
empty message.
"""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from e2e.endpoints import PICTURE, PICTURES, ask, made
from e2e.tiny import Tiny
from e2e.visiting import Answer, assert_refused, call, encoded, file_at, upload
from hostile_files import animated_gif, flat_png
from PIL import Image

from imagegen.images import open_picture

pytestmark = pytest.mark.usefixtures("works_afterwards")
EACH_PICTURE = pytest.mark.parametrize(("name", "field"), PICTURES)
TURNED_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
PRINT = encoded(PICTURE.convert("CMYK"), "JPEG")


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(PICTURE.transpose(TURNED_BACK[orientation]), exif=exif)


ALIKE = {
    "row 3: 10,000 frames": animated_gif(PICTURE, 10_000),
    "row 4: palette": encoded(PICTURE.convert("P")),
    "row 4: grey with alpha": encoded(PICTURE.convert("LA")),
    "row 5: 16 bits": encoded(Image.fromarray(np.asarray(PICTURE, np.uint16) * 257)),
    "row 6: on its side": turned(6),
    "row 7: clear paper": encoded(Image.merge("LA", [Image.new("L", PICTURE.size), PICTURE.point(lambda x: 255 - x)])),
}
"""Files that all show `PICTURE`."""
BOMBS = [flat_png(50_000, 50_000, rows=1), flat_png(12_000, 12_000)]
BROKEN = {
    "row 9: SVG named .png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a picture that can be read here"),
    "row 9: HTML named .png": (b"<!doctype html><script>alert(1)</script>", "not a picture that can be read here"),
    "row 10: truncated": (encoded(PICTURE)[:-60], "damaged or cut off"),
    "row 10: signature only": (b"\x89PNG\r\n\x1a\n", "not a picture that can be read here"),
    "row 10: empty": (b"", "empty"),
}


def outcome(http: httpx.Client, answer: Answer) -> list[Any]:
    """What was answered, with the file's content in the place of its name."""
    assert answer.event == "complete", answer
    is_file = isinstance(answer.data[0], dict) and "url" in answer.data[0]
    return [made(http, answer), *answer.data[1:]] if is_file else answer.data


def peak(pid: int) -> int:
    """MB that a process has had at most since `clear_refs` was written."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) // 1024


@EACH_PICTURE
def test_rows_1_and_2_a_bomb_is_refused_from_its_header(name: str, field: str, http: httpx.Client, tiny: Tiny) -> None:
    assert ask(http, name).event == "complete"  # what it needs is loaded now
    measured = Path("/proc/self/clear_refs").exists()
    if measured:
        Path(f"/proc/{tiny.app.pid}/clear_refs").write_text("5")
        before = peak(tiny.app.pid)
    for bomb in BOMBS:
        assert len(bomb) < 20_000
        assert_refused(ask(http, name, **{field: bomb}), "16 megapixels", "Make it smaller")
    if measured:
        assert peak(tiny.app.pid) - before < 50


@EACH_PICTURE
def test_rows_3_to_7_a_picture_counts_as_what_it_shows(name: str, field: str, http: httpx.Client) -> None:
    start = {"start": "picture"} if field == "picture" and name == "stylize_slow" else {}
    wanted = outcome(http, ask(http, name, **start, **{field: PICTURE}))
    for file in ALIKE.values():
        assert outcome(http, ask(http, name, **start, **{field: file})) == wanted
    printed = outcome(http, ask(http, name, **start, **{field: PRINT}))
    assert printed == outcome(http, ask(http, name, **start, **{field: open_picture(PRINT)}))


@pytest.mark.parametrize("orientation", TURNED_BACK)
def test_row_6_orientations(orientation: int, http: httpx.Client) -> None:
    wanted = outcome(http, ask(http, "upscale", picture=PICTURE))
    assert outcome(http, ask(http, "upscale", picture=turned(orientation))) == wanted


@EACH_PICTURE
def test_row_8_a_tiny_picture_works_or_is_refused_with_the_smallest_size(
    name: str, field: str, http: httpx.Client
) -> None:
    for size in ((1, 1), (1, 4000)):
        answer = ask(http, name, **{field: Image.new("L", size)})
        if answer.event != "complete":
            assert_refused(answer)
            assert re.search(r"\d+ pixels|\d+ to \d+|blank", answer.message), answer


@EACH_PICTURE
def test_rows_9_and_10_what_is_no_picture_is_refused_by_its_content(name: str, field: str, http: httpx.Client) -> None:
    for file, words in BROKEN.values():
        assert_refused(ask(http, name, **{field: file}), words)


@pytest.mark.parametrize("named", ["seven.gif", "seven.svg", "seven", "seven.png.exe"])
def test_row_9_a_name_says_nothing(named: str, http: httpx.Client) -> None:
    answer = call(http, "gan_score", [upload(http, encoded(PICTURE), named), None])
    assert answer == ask(http, "gan_score")


@EACH_PICTURE
def test_rows_17_and_18_addresses_and_paths_are_not_followed(
    name: str, field: str, http: httpx.Client, tiny: Tiny
) -> None:
    files = [
        {"path": None, "url": "data:image/png;base64," + "A" * 100},
        {"path": None, "url": "file:///etc/passwd"},
        {"path": None, "url": "http://169.254.169.254/latest/meta-data"},
        file_at("http://169.254.169.254/latest/meta-data"),
        file_at("/etc/passwd"),
        file_at("../../etc/passwd"),
        file_at("checkpoints/gan-mnist/config.json"),
        file_at("~/.ssh/id_rsa"),
        file_at("a\0b"),
    ]
    for file in files:
        assert_refused(ask(http, name, **{field: file}), "Upload the picture first")


@EACH_PICTURE
def test_row_10_what_names_no_file_is_refused(name: str, field: str, http: httpx.Client) -> None:
    for nothing in ("x", 7, [1], {}, {"path": ""}, {"path": None, "url": None}, {"path": None, "size": "x"}):
        assert_refused(ask(http, name, **{field: nothing}), "Upload the picture first")


def test_row_18_nothing_outside_the_cache_is_served(http: httpx.Client) -> None:
    for path in ("/etc/passwd", "../../etc/passwd", "app.py", "checkpoints/gan-mnist/config.json", "a\0b"):
        assert http.get(f"/file={quote(path)}").status_code in (403, 404)


@pytest.mark.parametrize(
    "named",
    ["a\0b\x07.png", "\x1b[31mred.png", "a\r\nb.png", "../../../../tmp/x.png", "图片😀.png", "x" * 300 + ".png", ".."],
)
def test_rows_16_and_18_names_of_files(named: str, http: httpx.Client) -> None:
    uploaded = http.post("/upload", files={"files": (named, encoded(PICTURE))})
    if uploaded.status_code != 200:
        assert 400 <= uploaded.status_code < 500
        return
    (path,) = uploaded.json()
    assert path.isprintable()
    assert ".." not in path
    assert call(http, "gan_score", [file_at(path), None]).event == "complete"
