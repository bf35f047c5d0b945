"""Recipes: there and back through PNG, WebP and link; whatever is not a recipe is refused."""

import base64
import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from imagegen.errors import InputError
from imagegen.recipes import (
    MAX_JSON_BYTES,
    Recipe,
    from_json,
    from_link,
    read_recipe,
    to_json,
    to_link,
    to_png,
    to_webp_animation,
)

SHA256 = "0123456789abcdef" * 4
RECIPE = Recipe(
    task="gan",
    checkpoint="digits-gan",
    sha256=SHA256,
    request={
        "digit": 7,
        "truncation": 0.7,
        "prompt": "一只猫 “and” a <dog> & \x00",
        "z": [0.5, -1.25],
        "mask": None,
    },
    seed=2**32 - 1,
    index=3,
)
PICTURE = Image.new("RGB", (4, 3), "red")

plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(-1e15, 1e15),
    st.text(st.characters(codec="utf-8"), max_size=20),
)
recipes = st.builds(
    Recipe,
    task=st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
    checkpoint=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}(/[A-Za-z0-9][A-Za-z0-9._-]{0,9})?", fullmatch=True),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    request=st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True),
        plain | st.lists(plain | st.lists(plain, max_size=3), max_size=3),
        max_size=5,
    ),
    seed=st.integers(0, 2**32 - 1),
    index=st.integers(0, 2**32 - 1),
    inputs=st.lists(st.just(SHA256), max_size=2).map(tuple),
)


def png_with(text: str | bytes, *, compressed: bool = False, key: str = "imagegen") -> bytes:
    chunks = PngInfo()
    chunks.add_itxt(key, text, zip=compressed)
    file = BytesIO()
    PICTURE.save(file, "PNG", pnginfo=chunks)
    return file.getvalue()


@settings(max_examples=60, deadline=None)
@given(recipe=recipes)
def test_a_recipe_survives_every_carrier(recipe: Recipe) -> None:
    assert from_json(to_json(recipe)) == recipe
    assert from_link(to_link(recipe)) == recipe
    assert read_recipe(to_png(PICTURE, recipe)) == recipe
    frames = [PICTURE, Image.new("RGB", (4, 3), "blue")]
    assert read_recipe(to_webp_animation(frames, 0.1, recipe)) == recipe


def test_a_png_holds_one_chunk_of_compact_sorted_json(tmp_path: Path) -> None:
    path = tmp_path / "seven.png"
    path.write_bytes(to_png(PICTURE, RECIPE))
    assert path.read_bytes().count(b"iTXtimagegen\0") == 1
    with Image.open(path) as opened:
        assert opened.tobytes() == PICTURE.tobytes()
        text = opened.info["imagegen"]
    content = json.loads(text)
    assert content["v"] == 1
    assert list(content) == sorted(content)
    assert "一只猫" in text
    assert '": ' not in text
    assert read_recipe(path) == RECIPE


@pytest.mark.parametrize(
    ("inputs", "source_type"),
    [((), "trainedAlgorithmicMedia"), ((SHA256,), "compositeWithTrainedAlgorithmicMedia")],
)
def test_files_declare_that_a_model_made_them(inputs: tuple[str, ...], source_type: str) -> None:
    recipe = replace(RECIPE, inputs=inputs)
    for data in (to_png(PICTURE, recipe), to_webp_animation([PICTURE, PICTURE], 0.1, recipe)):
        with Image.open(BytesIO(data)) as opened:
            packet = ElementTree.fromstring(opened.info["xmp"].decode())
        description = packet.find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
        declared = description.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"]
        assert declared == f"http://cv.iptc.org/newscodes/digitalsourcetype/{source_type}"


def test_an_animation_loops_over_its_frames_without_loss() -> None:
    frames = [Image.new("RGB", (6, 6), (40 * i, 7, 201)) for i in range(4)]
    with Image.open(BytesIO(to_webp_animation(frames, 0.25, RECIPE))) as opened:
        assert opened.n_frames == 4
        assert opened.info["loop"] == 0
        for i, frame in enumerate(frames):
            opened.seek(i)
            assert opened.convert("RGB").tobytes() == frame.tobytes()
            assert opened.info["duration"] == 250


def test_a_link_is_safe_in_a_url() -> None:
    link = to_link(RECIPE)
    assert set(link) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_link_with_other_characters_is_refused() -> None:
    link = to_link(RECIPE)
    for spoilt in (link[:8] + "!!!!" + link[8:], link + "猫"):
        with pytest.raises(InputError, match="damaged"):
            from_link(spoilt)


def test_a_long_link_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(InputError, match="64 kB"):
        from_link("!" * 100_000)


def test_tuples_in_a_request_come_back_as_lists() -> None:
    recipe = replace(RECIPE, request={"sizes": (1, 2)})
    assert from_link(to_link(recipe)).request == {"sizes": [1, 2]}


BAD_FIELDS: list[tuple[str, Any]] = [
    ("task", ""),
    ("task", "../gan"),
    ("task", "a" * 101),
    ("task", 1),
    ("checkpoint", "../../secret"),
    ("checkpoint", "/etc/passwd"),
    ("checkpoint", "a/b/c"),
    ("checkpoint", "digits\n"),
    ("sha256", "abc"),
    ("sha256", SHA256.upper()),
    ("sha256", SHA256 + "\n"),
    ("request", []),
    ("request", {"Not a name": 1}),
    ("request", {"a" * 65: 1}),
    ("request", {"nested": {"x": 1}}),
    ("request", {"deep": [[[[1]]]]}),
    ("request", {"x": float("nan")}),
    ("request", {"x": [float("inf")]}),
    ("request", {"x": 10**400}),
    ("request", {"x": "\ud800"}),
    ("seed", -1),
    ("seed", 2**32),
    ("seed", 1.0),
    ("seed", True),
    ("seed", "1"),
    ("index", -1),
    ("index", False),
    ("inputs", ("abc",)),
    ("inputs", (1,)),
    ("version", ""),
    ("version", "1" * 101),
    ("version", None),
]


@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_a_field_out_of_bounds_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=field):
        replace(RECIPE, **{field: value})
    text = json.dumps(json.loads(to_json(RECIPE)) | {field: value})
    with pytest.raises(InputError, match=field):
        from_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"v":1}',
        "[" * 60_000,
        '{"v":' + "9" * 5000 + "}",
        to_json(RECIPE)[:-1],
        to_json(RECIPE).replace('"v":1', '"v":2'),
        to_json(RECIPE).replace('"v":1', '"v":true'),
        to_json(RECIPE).replace('"v":1', '"v":1,"extra":1'),
        to_json(RECIPE).replace('"inputs":[]', '"inputs":"abc"'),
        to_json(RECIPE).replace('"index":3,', ""),
    ],
)
def test_what_is_not_a_recipe_is_refused(text: str) -> None:
    link = base64.urlsafe_b64encode(text.encode()).decode()
    for read, source in [(from_json, text), (from_link, link), (read_recipe, png_with(text))]:
        with pytest.raises(InputError):
            read(source)


def test_64_kb_is_the_limit() -> None:
    with pytest.raises(InputError, match="64 kB"):
        replace(RECIPE, request={"prompt": "猫" * (MAX_JSON_BYTES // 3)})
    padded = to_json(RECIPE) + " " * MAX_JSON_BYTES
    for read, source in [
        (from_json, padded),
        (from_link, base64.urlsafe_b64encode(padded.encode()).decode()),
        (read_recipe, png_with(padded)),
        (read_recipe, png_with(padded, compressed=True)),
    ]:
        with pytest.raises(InputError, match="64 kB"):
            read(source)


def test_a_compressed_text_bomb_is_refused() -> None:
    bomb = png_with(" " * 200_000_000, compressed=True)
    assert len(bomb) < 300_000
    with pytest.raises(InputError):
        read_recipe(bomb)


def test_xmp_is_searched_and_never_parsed() -> None:
    entities = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x imagegen:recipe="&b;"/>'
    with pytest.raises(InputError, match="no recipe"):
        read_recipe(png_with(entities, key="XML:com.adobe.xmp"))
    with_link = f'<x imagegen:recipe="{to_link(RECIPE)}"/>'
    assert read_recipe(png_with(with_link, key="XML:com.adobe.xmp")) == RECIPE


def test_a_picture_without_a_recipe_is_refused() -> None:
    file = BytesIO()
    PICTURE.save(file, "JPEG")
    with pytest.raises(InputError, match="no recipe"):
        read_recipe(file.getvalue())


@settings(max_examples=100, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), new=st.binary(min_size=1, max_size=6), webp=st.booleans())
def test_a_mutated_file_is_a_recipe_or_an_input_error(where: float, new: bytes, webp: bool) -> None:
    data = bytearray(to_webp_animation([PICTURE], 0.1, RECIPE) if webp else to_png(PICTURE, RECIPE))
    start = int(where * len(data))
    data[start : start + len(new)] = new
    try:
        recipe = read_recipe(bytes(data))
    except InputError:
        return
    assert isinstance(recipe, Recipe)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_a_random_link_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        from_link(text)


@settings(max_examples=100, deadline=None)
@given(start=st.integers(0, 400), new=st.text(min_size=1, max_size=4))
def test_mutated_json_is_a_recipe_or_an_input_error(start: int, new: str) -> None:
    text = to_json(RECIPE)
    try:
        recipe = from_json(text[:start] + new + text[start + len(new) :])
    except InputError:
        return
    assert from_json(to_json(recipe)) == recipe
