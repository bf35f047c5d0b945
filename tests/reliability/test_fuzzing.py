"""Made-up requests to every endpoint and every event of the page, and made-up picture files.

Each is answered, or refused with a message; what an exception would leave in the log is a fault. A slice is fixed, so
that it finds the same every day; `make reliability` searches on.
"""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2e.endpoints import ENDPOINTS, PICTURES, ask
from e2e.tiny import Tiny
from e2e.visiting import INF, JSON, NAN, Answer, Visit, assert_refused, encoded, faults, file_at, page_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from reliability.how_many import FULL, how_many

from imagegen.errors import InputError
from imagegen.images import open_picture

NAMES = sorted({value for values in ENDPOINTS.values() for value in values.values() if isinstance(value, str)})
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([NAN, INF, -INF, -1, 0, 1, 2, 0.5, 10.5, 65, 101, 2049, 2**31, 2**32, 1e300, 10**400, -(10**400)]),
    st.sampled_from([*NAMES, "", "ddpm-celeba", "Smiling", "../../etc/passwd", "file:///etc/passwd", "\0\x1b[2J"]),
    st.text(max_size=30),
    st.sampled_from([file_at("/etc/passwd"), file_at(None), {"path": None, "url": "data:,x"}, {"url": 7}]),
)
JUNK = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
FIXED = settings(
    deadline=None, derandomize=not FULL, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def four_colours() -> Image.Image:
    """3 x 2 pixels that no flip or turn leaves as they are."""
    picture = Image.new("RGB", (3, 2), "white")
    for place, colour in {(0, 0): (255, 0, 0), (2, 0): (0, 255, 0), (0, 1): (0, 0, 255)}.items():
        picture.putpixel(place, colour)
    return picture


STRIPES = [Image.new("RGB", (8, 8), (0, 200 - 20 * i, 20 * i)) for i in range(3)]
FILES = [
    encoded(four_colours()),
    encoded(four_colours().convert("P"), transparency=0),
    encoded(Image.new("I;16", (5, 5), 999)),
    encoded(four_colours(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
    encoded(four_colours(), "TIFF", compression="tiff_lzw"),
    encoded(four_colours(), "BMP"),
    *(encoded(STRIPES[0], kind, save_all=True, append_images=STRIPES[1:]) for kind in ("GIF", "WEBP", "PNG")),
]


@st.composite
def mutated_files(draw: st.DrawFn) -> bytes:
    """A picture file of any kind with some bytes changed, or cut off, or little more than its signature."""
    data = bytearray(draw(st.sampled_from(FILES)))
    changes = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=8)
    for where, new in draw(changes):
        start = int(where * len(data))
        data[start : start + len(new)] = new
    return bytes(data[: draw(st.integers(0, 2 * len(data)))]) + draw(st.sampled_from([b"", b"\0" * 40]))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """An endpoint, and what up to three of its fields are instead of what they should be."""
    name = draw(st.sampled_from(sorted(ENDPOINTS)))
    spoilt = draw(st.sets(st.sampled_from(sorted(ENDPOINTS[name])), min_size=1, max_size=3))
    pictures = {field for each, field in PICTURES if each == name}
    values = {field: draw(st.one_of(mutated_files(), JUNK) if field in pictures else JUNK) for field in sorted(spoilt)}
    return name, values


@pytest.fixture
def unharmed(tiny: Tiny, http: httpx.Client) -> Iterator[None]:
    yield
    for name in ENDPOINTS:
        assert ask(http, name).event == "complete"


def assert_answered(answer: Answer) -> None:
    if answer.event != "complete":
        assert_refused(answer)


@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("unharmed")
def test_every_made_up_request_is_answered_or_refused(http: httpx.Client, tiny: Tiny) -> None:
    @settings(FIXED, max_examples=how_many(150, 8_000))
    @given(request=requests())
    def asked(request: tuple[str, dict[str, Any]]) -> None:
        name, values = request
        before = len(tiny.app.log.read_text())
        assert_answered(ask(http, name, **values))
        assert not faults(tiny.app.log.read_text()[before:])

    asked()


def events(http: httpx.Client) -> dict[str, list[Any]]:
    """Of every event that the page asks the server, what its components begin with."""
    page = page_of(http)
    first = {component["id"]: component["props"].get("value") for component in page["components"]}
    return {
        event["api_name"]: [first[each] for each in event["inputs"]]
        for event in page["dependencies"]
        if event["backend_fn"] and event["inputs"] and event["api_name"] not in ENDPOINTS
    }


@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("unharmed")
def test_every_made_up_event_of_the_page_is_answered_or_refused(http: httpx.Client, tiny: Tiny) -> None:
    """They are private, but their queue is open to anybody. A run that began is left after its first word."""
    ours = events(http)

    @settings(FIXED, max_examples=how_many(150, 2_000))
    @given(data=st.data())
    def asked(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(ours)))
        values = list(ours[name])
        for place in data.draw(st.sets(st.integers(0, len(values) - 1), min_size=1, max_size=2)):
            values[place] = data.draw(JUNK)
        before = len(tiny.app.log.read_text())
        visit = Visit(http)
        joined = http.post("/queue/join", content=visit.asking(name, values), headers=JSON)
        if joined.status_code != 200:
            assert_refused(Answer(str(joined.status_code), joined.json()))
            return
        messages = visit.messages()
        said = next(each for each in messages if each["msg"] in ("process_generating", "process_completed"))
        visit.cancel(name, joined.json()["event_id"])
        messages.close()  # type: ignore[attr-defined]
        if not said["success"]:
            assert said["output"]["error"], said
        assert not faults(tiny.app.log.read_text()[before:])

    asked()


def assert_picture_or_input_error(data: bytes) -> None:
    try:
        picture = open_picture(data)
    except InputError:
        return
    assert picture.mode == "RGB"


@pytest.mark.timeout(3600)
@settings(FIXED, max_examples=how_many(200, 5_000))
@given(file=mutated_files())
def test_a_mutated_file_is_a_picture_or_an_input_error(file: bytes) -> None:
    assert_picture_or_input_error(file)


@settings(FIXED, max_examples=how_many(50, 1_000))
@given(start=st.sampled_from([b"", *(file[:12] for file in FILES)]), rest=st.binary(max_size=200))
def test_random_bytes_are_a_picture_or_an_input_error(start: bytes, rest: bytes) -> None:
    assert_picture_or_input_error(start + rest)


@settings(FIXED, max_examples=how_many(30, 500))
@given(body=st.one_of(st.binary(max_size=60), JUNK.map(lambda data: json.dumps({"data": data}).encode())))
def test_a_made_up_body_is_no_crash(body: bytes, http: httpx.Client) -> None:
    joined = http.post("/call/gan_score", content=body, headers=JSON)
    assert joined.status_code < 500
    if joined.status_code == 200:
        assert "event: " in http.get(f"/call/gan_score/{joined.json()['event_id']}").text
    else:
        assert joined.json()["detail"]


def test_files_of_every_kind_are_pictures_before_they_are_mutated() -> None:
    for file in FILES:
        assert open_picture(file).mode == "RGB"
