"""Curves of a card: read back as they were named, and drawn as plain SVG."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest

from imagegen.cards import Card
from imagegen.evaluation.curves import (
    BOTTOM,
    LEFT,
    LINE_HEIGHT,
    MIXTURES,
    PERCEPTUAL,
    RIGHT,
    TOP,
    charts,
    fid_name,
    line_chart,
    loss_curve,
    loss_name,
    mixture,
    mixture_curve,
    solver_table,
    thinned,
)

SVG = "{http://www.w3.org/2000/svg}"
FIDS = {("ddim", 10): 4.0, ("ddim", 5): 9.5, ("dpm++", 100): 1.25}
LOSSES = {(0, 49): 0.2, (50, 99): 0.1, (100, 149): 0.3}


@pytest.fixture
def card() -> Card:
    """Curves among figures that are none, in no order."""
    values = {
        "FID": 1.7,
        "FID-2k of 10 unipc steps": 2.0,
        **{fid_name(500, *run): value for run, value in FIDS.items()},
        "loss": 0.5,
        **{loss_name(*stretch): value for stretch, value in reversed(LOSSES.items())},
    }
    return Card(
        "It draws.", "mit", "noise", figures={key: {"value": value, "how": "h"} for key, value in values.items()}
    )


def named(drawing: str) -> dict[str, ET.Element]:
    """Its texts."""
    return {text.text or "": text for text in ET.fromstring(drawing).iter(f"{SVG}text")}


def lines(drawing: str) -> list[list[tuple[float, float]]]:
    """Corners of its lines, in pixels."""
    found = [line.attrib["points"].split() for line in ET.fromstring(drawing).iter(f"{SVG}polyline")]
    return [[(float(x), float(y)) for x, y in (corner.split(",") for corner in corners)] for corners in found]


def test_names_are_read_back(card: Card) -> None:
    assert fid_name(500, "ddim", 10) == "FID-0.5k ddim 10 steps"
    assert solver_table(card) == {"ddim": [(5, 9.5), (10, 4.0)], "dpm++": [(100, 1.25)]}
    assert loss_curve(card) == [(*stretch, loss) for stretch, loss in LOSSES.items()]


def test_a_card_without_curves_has_none() -> None:
    card = Card("It draws.", "mit", "noise", figures={"FID": {"value": 1.0, "how": "h"}})
    assert (solver_table(card), loss_curve(card), charts(card)) == ({}, [], {})


def test_each_curve_is_drawn_as_far_as_it_was_measured(card: Card) -> None:
    drawings = charts(card)
    assert list(drawings) == ["assets/fid-by-steps.svg", "assets/loss-by-timestep.svg"]
    fids, losses = drawings.values()
    assert [len(line) for line in lines(fids)] == [2, 1]
    assert {"ddim", "dpm++", "5", "10", "20", "50", "100", "steps", "FID"} <= named(fids).keys()
    assert [len(line) for line in lines(losses)] == [3]


def test_distortion_is_drawn_against_perception() -> None:
    ways = [*map(mixture, MIXTURES), "", " of bicubic"]
    values = {f"Set14: PSNR{way}": 28.0 - i / 4 for i, way in enumerate(ways)}
    values |= {f"Set14: {PERCEPTUAL}{way}": 0.8 - i / 10 for i, way in enumerate(ways[:-1])}
    card = Card(
        "It draws.", "mit", "noise", figures={key: {"value": value, "how": "h"} for key, value in values.items()}
    )
    curve = mixture_curve(card)
    assert curve == [
        pytest.approx(each) for each in [(0, 0.8), (0.25, 0.7), (0.5, 0.6), (0.75, 0.5), (1, 0.4), (1.25, 1)]
    ]
    drawing = charts(card)["assets/distortion-and-perception.svg"]
    assert {"bicubic", "sr-x4", "srgan-x4"} <= named(drawing).keys()
    assert sorted(map(len, lines(drawing))) == [1, 1, 5]
    del card.figures[f"Set14: PSNR{mixture(50)}"]
    assert mixture_curve(card) == []
    assert not charts(card)


def test_points_lie_where_their_values_say() -> None:
    (line,) = lines(line_chart({"a": [(0, 0), (50, 5), (100, 10)]}, "", "x", "y"))
    assert line == [(LEFT, BOTTOM), ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), (RIGHT, TOP)]
    (line,) = lines(line_chart({"a": [(1, 0.01), (10, 0.1), (100, 1)]}, "", "x", "y", log_x=True, log_y=True))
    assert line == [(LEFT, BOTTOM), ((LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2), (RIGHT, TOP)]


@pytest.mark.parametrize("log", [False, True])
def test_one_point_or_equal_values_are_drawn_within_the_field(log: bool) -> None:
    for points in ([(5, 5)], [(1, 3), (2, 3)], [(1, 1e-7), (2, 1e7)]):
        for x, y in lines(line_chart({"a": points}, "", "x", "y", log, log))[0]:
            assert LEFT <= x <= RIGHT
            assert TOP <= y <= BOTTOM


def test_names_at_the_ends_do_not_overlap() -> None:
    ends = {"a": 1.0, "b": 1.001, "c": 1.002, "d": 9.0, "e": 1.0}
    texts = named(line_chart({name: [(0, 5), (1, end)] for name, end in ends.items()}, "", "x", "y"))
    heights = sorted((float(texts[name].attrib["y"]), name) for name in ends)
    assert all(below - above >= LINE_HEIGHT for (above, _), (below, _) in pairwise(heights))
    assert [name for _, name in heights] == ["d", "c", "b", "a", "e"]
    assert heights[-1][0] <= BOTTOM + LINE_HEIGHT


def test_a_drawing_holds_shapes_and_words_only(card: Card) -> None:
    sly = line_chart({"<script>": [(0, 1)]}, "</text><script/>", "&", '"')
    for drawing in (*charts(card).values(), sly):
        root = ET.fromstring(drawing)
        assert {tag.tag.removeprefix(SVG) for tag in root.iter()} == {"svg", "text", "path", "polyline", "circle"}
        assert not [key for tag in root.iter() for key in tag.attrib if key.startswith("on") or "href" in key]
    assert {"<script>", "</text><script/>", "&", '"'} <= named(sly).keys()


def test_importing_it_is_cheap() -> None:
    program = "import sys, imagegen.evaluation.curves; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"


def test_a_thinned_history_keeps_its_end_and_its_means() -> None:
    history = [{"step": i, "seconds": 2 * i, "loss": i % 3} for i in range(1, 10)]
    assert thinned(history, 3) == [{"step": i, "seconds": 2 * i, "loss": 1} for i in (3, 6, 9)]
    assert thinned(history, 100) == history
    assert thinned(history, 4)[-1]["step"] == 9
    assert thinned([], 5) == []
