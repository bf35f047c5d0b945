"""Rows 11 to 18 of the bad inputs, for every number, name, text and list that an endpoint takes.

Each is refused with a message that names field and limit, and the next valid request succeeds.
"""

import json
import re
import time
from typing import Any

import httpx
import pytest
from e2e.endpoints import ENDPOINTS, LIMITS, NUMBERS, ask, made
from e2e.tiny import Tiny
from e2e.visiting import JSON, NAN, NO_NUMBERS, Visit, assert_refused, page_of
from reliability.how_many import how_many

from imagegen.tasks.text_to_image import MAX_NAME

pytestmark = pytest.mark.usefixtures("works_afterwards")
EACH_ENDPOINT = pytest.mark.parametrize("name", ENDPOINTS)
NO_NAMES: list[Any] = ["", "../../etc/passwd", "\x1b[2J\0", "x" * 10**5, None, 7, True, NAN, ["ddim"], {"ddim": 1}]
OF_THIS_APP = ("engine", "size")
"""Names that depend on how the app was started: that they are short texts is checked before. Gradio makes 7 one."""
NO_FLAGS: list[Any] = ["true", 1, NAN, None, 0.5, [True]]
NO_LISTS: list[Any] = [
    [NAN], "x", 7, {"a": [1]}, [[[[1]]]], [10**400], ["../../etc/passwd"], [True], [None], [{}] * 300, NAN, [[], []],
]  # fmt: skip
MAY_BE_NOTHING = ("digit", "second_digit", "second_seed")


def short(value: object) -> str:
    """A readable test id."""
    return ascii(value)[:20]


def fields(name: str, *kinds: type) -> list[str]:
    """Of an endpoint, those whose value is of one of these types and of which no limit is known."""
    return [field for field, value in ENDPOINTS[name].items() if type(value) in kinds and (name, field) not in LIMITS]


@EACH_ENDPOINT
def test_rows_11_to_13_no_number_or_out_of_range(name: str, http: httpx.Client) -> None:
    for (_, field), limit in ((each, limit) for each, limit in NUMBERS.items() if each[0] == name):
        above = float(limit.split()[-1]) + 1
        half = [10.5] if "whole" in limit else []
        nothing = [] if field in MAY_BE_NOTHING else [None]
        for value in [above, *half, *nothing, *NO_NUMBERS[: how_many(5, len(NO_NUMBERS))]]:
            assert_refused(ask(http, name, **{field: value}), field.split("_")[-1], f"must be {limit}.")


def test_row_12_a_whole_float_is_that_number(http: httpx.Client) -> None:
    assert ask(http, "gan_sample", count=3.0).data[1] == ask(http, "gan_sample", count=3).data[1]


@EACH_ENDPOINT
def test_row_12_names_and_flags_that_are_none(name: str, http: httpx.Client) -> None:
    for field in fields(name, str):
        for value in NO_NAMES[: how_many(5, len(NO_NAMES))]:
            answer = ask(http, name, **{field: value})
            limits = ["must be one of ", f"must be a text of at most {MAX_NAME} characters."][
                : 1 + (field in OF_THIS_APP)
            ]
            assert_refused(answer)
            assert any(f"{field} {limit}" in answer.message for limit in limits), (value, answer)
    for field in fields(name, bool):
        for value in NO_FLAGS[: how_many(4, len(NO_FLAGS))]:
            assert_refused(ask(http, name, **{field: value}), f"{field} must be true or false.")


@EACH_ENDPOINT
def test_row_12_lists_that_are_none(name: str, http: httpx.Client) -> None:
    faces = {"model": "ddpm-celeba"} if "wanted" in ENDPOINTS[name] else {}  # what the digits' model does not look at
    for field in fields(name, list, dict):
        for value in NO_LISTS[: how_many(6, len(NO_LISTS))]:
            assert_refused(ask(http, name, **faces, **{field: value}))


TEXTS = [each for each, limit in LIMITS.items() if "text" in limit]


@pytest.mark.parametrize(("name", "field"), TEXTS)
def test_row_14_a_long_text_is_refused_within_a_second(name: str, field: str, http: httpx.Client) -> None:
    for size in (1_001, 10**5):
        started = time.monotonic()
        assert_refused(ask(http, name, **{field: "x" * size}), f"{field} must be {LIMITS[name, field]}.")
        assert time.monotonic() - started < 1
    assert_refused(ask(http, name, **{field: None}), field, LIMITS[name, field])


@pytest.mark.parametrize("path", ["/call/text_to_image", "/queue/join"])
def test_row_14_fifty_megabytes_do_not_even_reach_it(path: str, http: httpx.Client) -> None:
    body = json.dumps({"data": ["x" * (50 * 10**6)]})
    started = time.monotonic()
    try:
        answer = http.post(path, content=body, headers=JSON)
    except httpx.WriteError:  # the app has hung up before all of it was sent
        pass
    else:
        assert answer.status_code == 413
        assert "larger than the maximum allowed size" in answer.json()["detail"]
    assert time.monotonic() - started < 5  # of which the test needs most to write it


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("👩‍🦰🦄", {"👩🦰🦄"}),
        ("戴眼镜的龙", {"龙"}),
        ("שלום smiling", {"שלום"}),
        ("smi\u200bling\ufeff \u202ewoman", set()),
        ("", set()),
    ],
    ids=["emoji", "Chinese", "right to left", "zero width", "nothing"],
)
def test_row_15_any_prompt_is_a_picture_and_strange_words_are_named(
    prompt: str, unknown: set[str], http: httpx.Client
) -> None:
    answer = ask(http, "text_to_image", prompt=prompt)
    assert made(http, answer).startswith(b"\x89PNG")
    assert set(answer.data[1]["unknown"]) == unknown


def test_row_16_control_bytes_are_stripped_from_a_prompt(http: httpx.Client) -> None:
    answer = ask(http, "text_to_image", prompt="a\0 smiling\x1b[31m\x07 woman\r\n")
    assert answer.data[1]["recipe"]["request"]["prompt"] == "a smiling[31m woman"


@pytest.mark.parametrize("text", ["file:///etc/passwd", "http://169.254.169.254/", "../../etc/passwd", "data:,x" * 99])
def test_rows_17_and_18_a_prompt_is_never_an_address(text: str, http: httpx.Client) -> None:
    answer = ask(http, "text_to_image", prompt=text)
    assert answer.event == "complete"
    assert "etc" not in answer.data[0]["path"]


@pytest.mark.parametrize("nobody", ["nope", "..%2f..%2fetc%2fpasswd", "%1b%5b2J%00"])
def test_rows_16_and_18_names_of_no_endpoint(nobody: str, http: httpx.Client) -> None:
    answer = http.post(f"/call/{nobody}", content=json.dumps({"data": []}), headers=JSON)
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]


@EACH_ENDPOINT
def test_row_12_bodies_that_are_no_call(name: str, http: httpx.Client) -> None:
    for body in (b"", b"{", b"[]", b"\xff\xfe", b'{"data": 1}', b'{"data": []}', b'{"data": [NaN]}'):
        joined = http.post(f"/call/{name}", content=body, headers=JSON)
        if joined.status_code == 200:
            stream = http.get(f"/call/{name}/{joined.json()['event_id']}").text
            assert "event: error" in stream
            assert '"error": null' not in stream
        else:
            assert 400 <= joined.status_code < 500
            assert joined.json()["detail"]


@pytest.mark.parametrize("value", [NAN, 10**400, "10", True, 10.5, None], ids=short)
def test_rows_11_to_13_events_of_the_page_are_as_strict(value: object, http: httpx.Client) -> None:
    """`walk` is private, but its queue is open to anybody: digit, second digit, two seeds, frames."""
    for place in 2, 4:
        visit = Visit(http)
        values: list[object] = [3, 8, 0, 1, 2]
        values[place] = value
        visit.join("walk", values)
        *_, last = (message for message in visit.messages() if message["msg"] == "process_completed")
        assert not last["success"]
        assert "whole number from" in last["output"]["error"]


def test_row_14_a_prompt_of_the_page_is_as_short(http: httpx.Client) -> None:
    page = page_of(http)
    first = {part["id"]: part["props"].get("value") for part in page["components"]}
    inputs = next(event["inputs"] for event in page["dependencies"] if event["api_name"] == "compare_guidance")
    prompt, *rest = [first[each] for each in inputs]
    assert isinstance(prompt, str)
    for long in ("x" * 1_001, "../../etc/passwd" * 100):
        visit = Visit(http)
        visit.join("compare_guidance", [long, *rest])
        *_, last = (message for message in visit.messages() if message["msg"] == "process_completed")
        assert not last["success"]
        assert "at most 1000 characters" in last["output"]["error"]


@EACH_ENDPOINT
def test_refusals_are_in_the_visitors_language(name: str, tiny: Tiny) -> None:
    field = next((field for each, field in NUMBERS if each == name), "z")
    with tiny.app.http(Cookie="imagegen_language=zh") as http:
        assert re.search("[\u4e00-\u9fff]", ask(http, name, **{field: [NAN]}).message)
