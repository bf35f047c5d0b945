"""Rows 4 to 8, 10 to 13, 16 and 18 of the bad inputs, through the endpoints of the real app.

Each is refused with a message that names the limit, never with a 500, a traceback or an empty message, and
the next valid request succeeds. What was sent leaves no control bytes in the log.
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from e2e.visiting import (
    INF,
    JSON,
    NAN,
    NO_NUMBERS,
    App,
    Visit,
    assert_refused,
    call,
    digit_picture,
    encoded,
    file_at,
    sample,
    score,
)
from PIL import Image

from imagegen.tasks.gan import MAX_SIGMA

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
LIMITS = {
    "digit": "0 to 9",
    "second_digit": "0 to 9",
    "mix": "0 to 1",
    "count": "1 to 64",
    "seed": "0 to 4294967295",
    "truncation": "0 to 1.5",
}
LARGE = Image.new("L", (1, 4000), 255)
LARGE.paste(0, (0, 1500, 1, 2500))
UPRIGHT = digit_picture(seven=True)
TURNED_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(autouse=True)
def works_afterwards(http: httpx.Client, app: App) -> Iterator[None]:
    before = app.log.stat().st_size
    yield
    assert sample(http, count=1).event == "complete"
    with app.log.open() as log:
        log.seek(before)
        assert not CONTROL.search(log.read())


def short(value: object) -> str:
    """A readable test id."""
    return ascii(value)[:20]


@pytest.mark.parametrize("name", LIMITS)
def test_rows_11_to_13_no_number_or_out_of_range(http: httpx.Client, name: str) -> None:
    whole = [10.5] if name not in ("mix", "truncation") else []
    nothing = [None] if "digit" not in name else []
    for value in [*NO_NUMBERS, *whole, *nothing]:
        assert_refused(sample(http, **{name: value}), name, LIMITS[name])


@pytest.mark.parametrize("steps", [1e9, 10**9, 65, 0], ids=short)
def test_row_12_far_too_many(http: httpx.Client, steps: float) -> None:
    assert_refused(sample(http, count=steps), "1 to 64")


def test_row_12_a_whole_float_is_that_number(http: httpx.Client) -> None:
    assert sample(http, count=3.0).data[1] == sample(http, count=3).data[1]


@pytest.mark.parametrize("seed", [2**32, 10**400, -1], ids=short)
def test_row_13_seeds_outside(http: httpx.Client, seed: int) -> None:
    assert_refused(sample(http, seed=seed), "0 to 4294967295")


@pytest.mark.parametrize("amount", [NAN, INF, MAX_SIGMA + 0.1, 10**400, True, "1", None, [1]], ids=short)
def test_row_11_amounts_along_the_directions(http: httpx.Client, amount: object) -> None:
    assert_refused(sample(http, directions=[amount]), f"from {-MAX_SIGMA:g} to {MAX_SIGMA:g}")


@pytest.mark.parametrize("directions", [[0] * 9, {"0": 1}, "1", 1, None], ids=short)
def test_directions_that_are_no_list_of_eight(http: httpx.Client, directions: object) -> None:
    assert_refused(sample(http, directions=directions), "at most 8")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff\xfe", b'{"data": 1}', b'{"data": []}', b'{"data": [NaN]}'], ids=short
)
def test_bodies_that_are_no_call(http: httpx.Client, body: bytes) -> None:
    for headers in JSON, {}:
        joined = http.post("/call/gan_sample", content=body, headers=headers)
        if joined.status_code == 200:
            stream = http.get(f"/call/gan_sample/{joined.json()['event_id']}").text
            assert "event: error" in stream
            assert '"error": null' not in stream
        else:
            assert 400 <= joined.status_code < 500
            assert joined.json()["detail"]


@pytest.mark.parametrize("name", ["nope", "..%2f..%2fetc%2fpasswd", "%1b%5b2J%00"])
def test_rows_16_and_18_names_of_no_endpoint(http: httpx.Client, name: str) -> None:
    answer = http.post(f"/call/{name}", content=json.dumps({"data": []}), headers=JSON)
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]


@pytest.mark.parametrize("value", [NAN, 10**400, "10", True, 10.5, None], ids=short)
def test_events_of_the_page_are_as_strict(app: App, value: object) -> None:
    """`walk` is private, but its queue is open to anybody: digit, second digit, seed, frames."""
    with app.http() as http:
        for place in 2, 3:
            visit = Visit(http)
            values: list[object] = [3, 8, 0, 2]
            values[place] = value
            visit.join("walk", values)
            *_, last = (message for message in visit.messages() if message["msg"] == "process_completed")
            assert not last["success"]
            assert "whole number from" in last["output"]["error"]


@pytest.mark.parametrize(
    "file",
    [
        encoded(UPRIGHT.convert("CMYK"), "JPEG"),
        encoded(UPRIGHT.convert("P")),
        encoded(UPRIGHT.convert("LA")),
        encoded(Image.fromarray(np.asarray(UPRIGHT, np.uint16) * 257)),
        encoded(Image.merge("LA", [Image.new("L", UPRIGHT.size), UPRIGHT.point(lambda grey: 255 - grey)])),
        encoded(UPRIGHT, "GIF"),
        encoded(UPRIGHT.convert("RGB"), "WEBP"),
    ],
    ids=["cmyk", "palette", "grey-alpha", "16-bit", "clear-paper", "gif-named-png", "webp-named-png"],
)
def test_rows_4_5_7_and_9_pictures_of_every_kind(http: httpx.Client, file: bytes) -> None:
    assert score(http, file).data[0]["digit"] == 7


@pytest.mark.parametrize("orientation", TURNED_BACK)
def test_row_6_orientations(http: httpx.Client, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = encoded(UPRIGHT.transpose(TURNED_BACK[orientation]), exif=exif)
    assert score(http, turned).data == score(http, encoded(UPRIGHT)).data


@pytest.mark.parametrize(
    ("file", "word"),
    [
        (encoded(Image.new("L", (1, 1))), "blank"),
        (encoded(Image.new("L", (300, 300), 200)), "blank"),
        (encoded(UPRIGHT)[:-200], "damaged"),
        (b"", "empty"),
        (b"\x89PNG\r\n\x1a\n", "not a picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not a picture"),
        (b"<!doctype html><title>7</title>", "not a picture"),
    ],
    ids=["1x1", "grey", "truncated", "empty", "signature", "svg", "html"],
)
def test_rows_8_to_10_pictures_that_are_none(http: httpx.Client, file: bytes, word: str) -> None:
    assert_refused(score(http, file), word)


def test_row_8_a_line_of_4000_pixels_is_judged(http: httpx.Client) -> None:
    assert len(score(http, encoded(LARGE)).data[0]["reading"]) == 10


@pytest.mark.parametrize("digit", [NAN, 10, 10.5, -1, True, "7", 10**400], ids=short)
def test_row_11_what_the_digit_is_meant_to_be(http: httpx.Client, digit: object) -> None:
    assert_refused(score(http, encoded(UPRIGHT), digit=digit), "0 to 9")


@pytest.mark.parametrize("picture", [None, "", "x", 7, [1], {}, {"path": ""}, {"path": None, "url": None}], ids=short)
def test_no_picture_at_all(http: httpx.Client, picture: object) -> None:
    assert_refused(call(http, "gan_score", [picture, None]))


@pytest.mark.parametrize(
    "name",
    ["a\0b\x07.png", "\x1b[31mred.png", "a\r\nb.png", "../../../../tmp/x.png", "图片😀.png", "x" * 300 + ".png", ".."],
)
def test_rows_16_and_18_names_of_files(http: httpx.Client, name: str) -> None:
    uploaded = http.post("/upload", files={"files": (name, encoded(UPRIGHT))})
    if uploaded.status_code != 200:
        assert 400 <= uploaded.status_code < 500
        return
    (path,) = uploaded.json()
    assert path.isprintable()
    assert ".." not in path
    assert call(http, "gan_score", [file_at(path), None]).data[0]["digit"] == 7


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../etc/passwd", "app.py", "checkpoints/gan-mnist/config.json", "~/.ssh/id_rsa", "a\0b"]
)
def test_row_18_paths_out_of_the_uploads(http: httpx.Client, path: str) -> None:
    assert_refused(call(http, "gan_score", [file_at(path), None]), "Upload the picture first")
    assert http.get(f"/file={quote(path)}").status_code in (403, 404)


@pytest.mark.parametrize("text", ["\x1b[2J\0\x07", "\ud800", "‮⁦😀" * 1000])
def test_row_16_control_bytes_in_values(http: httpx.Client, text: str) -> None:
    assert_refused(sample(http, digit=text), "0 to 9")
    assert_refused(sample(http, directions=text), "at most 8")
