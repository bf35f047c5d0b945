"""The VAE tab as people use it, in a real browser: the map, drawings on it, ways between pictures, sliders, links."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from e2e.browsing import (
    RUN,
    SETTLED,
    Visitor,
    assert_everything_in_place,
    drag,
    open_tab,
    press,
    set_number,
    until,
    words,
)
from e2e.visiting import CHECKPOINTS, slowed
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from imagegen.images import to_pictures
from imagegen.recipes import read_recipe
from imagegen.store import ModelStore
from imagegen.tasks.registry import replay

pytestmark = pytest.mark.browser

OWN_NAMES = {"GAN", "VAE", "MNIST", "PNG", "WebP", "CPU", "CUDA", "API", "English", "KL", "ELBO", "E", "N"} | {
    "A", "B", "C", "CelebA", "log", "p", "q", "x", "z",
}  # fmt: skip
LOUDNESS = """image => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 28, height: 28 });
  canvas.getContext("2d").drawImage(image, 0, 0, 28, 28);
  return [...canvas.getContext("2d").getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0);
}"""


@pytest.fixture
def tab(page: Page) -> Page:
    """The page with this tab open and its maps drawn."""
    open_tab(page, "vae.tab")
    page.locator(".plane[data-drawn]").wait_for(timeout=RUN)
    page.locator(".spot[data-drawn]").wait_for(timeout=RUN)
    return page


def shown(page: Page, name: str) -> Locator:
    """One of the tab's widgets, scrolled to and drawn."""
    widget = page.locator(f".{name}")
    widget.evaluate("element => element.scrollIntoView({ block: 'center' })")
    expect(widget).to_have_attribute("data-drawn", re.compile(r"\d"), timeout=RUN)
    return widget


@contextmanager
def redrawn(widget: Locator) -> Iterator[None]:
    """What is done inside draws the widget anew; afterwards it stands still."""
    before = widget.get_attribute("data-drawn")
    yield
    expect(widget).not_to_have_attribute("data-drawn", before or "", timeout=RUN)
    while before != (before := widget.get_attribute("data-drawn")):
        widget.page.wait_for_timeout(SETTLED)


def levels(picture: Locator) -> list[int]:
    """The grey levels of an image or canvas."""
    found: list[int] = picture.evaluate(LOUDNESS)
    return found


def apart(a: list[int], b: list[int]) -> float:
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)


def numbers(text: str) -> list[float]:
    return [float(number.replace("−", "-")) for number in re.findall(r"[−-]?\d+(?:\.\d+)?", text)]


def draw_one(tab: Page) -> None:
    pad = tab.locator("#vae-pad canvas")
    pad.evaluate("element => element.scrollIntoView({ block: 'center' })")
    drag(tab, pad, (0.5, 0.2), (0.5, 0.8))


def test_the_map_answers_at_once_and_exactly_on_release(tab: Page) -> None:
    ground, lenses, spot = tab.locator(".ground canvas:first-child"), tab.locator(".lens"), tab.locator(".spot")
    tab.locator("#vae-pad").wait_for()
    expect(ground).to_have_count(2)
    expect(lenses.first).to_be_hidden()
    drawn = spot.get_attribute("data-drawn")
    ground.first.evaluate("element => element.scrollIntoView({ block: 'center' })")
    box = ground.first.bounding_box()
    assert box
    seen = []
    for x in (0.2, 0.45, 0.8):
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + 0.6 * box["height"])
        expect(lenses.first).to_be_visible()
        expect(lenses.last).to_be_visible()
        seen.append((levels(lenses.first), levels(lenses.last)))
    assert all(apart(a, b) > 3 for i in (0, 1) for a, b in ((seen[0][i], seen[1][i]), (seen[1][i], seen[2][i])))
    assert spot.get_attribute("data-drawn") == drawn  # all this was drawn by the page alone

    with redrawn(spot):
        tab.mouse.down()
        tab.mouse.up()
    for i, lens in enumerate((lenses.first, lenses.last)):
        exact = levels(spot.locator("img").nth(i))
        assert apart(exact, levels(lens)) < 20
        assert apart(exact, levels(lens)) < apart(exact, seen[0][i])
    x, y = numbers(spot.locator("figcaption").first.inner_text())
    assert 1 < x < 3  # to the right of the middle, and below it
    assert -2 < y < 0
    tab.mouse.move(0, 0)
    expect(lenses.first).to_be_hidden()

    with redrawn(spot):
        ground.first.press("ArrowRight")
    assert numbers(spot.locator("figcaption").first.inner_text())[0] > x
    with redrawn(spot):  # the other map has coordinates of its own, and shows the same share of itself
        ground.last.press("ArrowUp")
    assert numbers(spot.locator("figcaption").first.inner_text())[1] > y

    whole = ground.first.evaluate("canvas => canvas.toDataURL()")
    tab.locator(".classes button").nth(7).click()
    expect(tab.locator(".classes button[aria-pressed=true]")).to_have_text("7")
    until(tab, lambda: ground.first.evaluate("canvas => canvas.toDataURL()") != whole)
    tab.locator(".classes button").nth(7).click()
    until(tab, lambda: ground.first.evaluate("canvas => canvas.toDataURL()") == whole)


def test_a_drawing_lands_on_the_map_and_its_elbo_adds_up(tab: Page) -> None:
    encoding, plane = shown(tab, "encoding"), tab.locator(".plane")
    expect(plane).to_have_attribute("data-own", re.compile(r"\d"))  # a sample, before there is a drawing
    sample = plane.get_attribute("data-own")
    with redrawn(encoding):
        draw_one(tab)
    expect(tab.locator(".traveller")).to_contain_text("Not made here")
    expect(plane).not_to_have_attribute("data-own", sample or "")
    place = [float(x) for x in (plane.get_attribute("data-own") or "").split()]
    assert place[0] > 1  # among the ones
    maps = tab.locator(".ground svg")
    for i in range(2):
        expect(maps.nth(i).locator(".own")).to_have_count(1)
    assert float(maps.first.locator(".own").get_attribute("rx") or 0) > 0
    expect(encoding.locator(".elbo")).to_contain_text(f"μ = ({place[0]:.2f}")

    likelihood, kl = (numbers(text)[0] for text in encoding.locator(".part b").all_inner_texts())
    elbo = numbers(encoding.locator(".formula b").inner_text())[0]
    assert likelihood < 0 < kl
    assert elbo == pytest.approx(likelihood - kl, abs=0.011)
    expect(encoding.locator(".ten img")).to_have_count(10)
    samples = encoding.locator(".ten img").evaluate_all("all => all.map((image) => image.src)")
    assert len(set(samples)) == 10
    expect(encoding.locator(".stems span")).to_have_count(32)
    assert 0 < encoding.locator(".stems .dead").count() < 16
    original, copy = (levels(encoding.locator(".through img").nth(i)) for i in range(2))
    assert 0 < apart(original, copy) < 20

    with redrawn(encoding):
        press(tab.locator("#vae-model").get_by_text("digits, 2 numbers"))
    expect(encoding.locator(".stems span")).to_have_count(2)
    expect(shown(tab, "latents").locator(".slide")).to_have_count(2)
    assert [float(x) for x in (plane.get_attribute("data-own") or "").split()] == place


def test_a_way_from_the_drawing_to_a_seed_runs_stops_and_can_be_kept(tab: Page, visitor: Visitor) -> None:
    between, slots = shown(tab, "between"), tab.locator("#between-slots .slot")
    run, stop = tab.locator("#between-run"), tab.locator("#between-stop")
    expect(between.locator(".ends figcaption")).to_have_text(["seed 2", "seed 25"])
    press(slots.first.get_by_role("button", name="Your picture"))
    expect(tab.get_by_test_id("toast-body")).to_contain_text("There is no picture yet")
    tab.get_by_test_id("toast-close").click()
    draw_one(tab)
    expect(tab.locator(".traveller")).to_contain_text("Not made here")
    press(slots.first.get_by_role("button", name="Your picture"))
    expect(between.locator(".ends figcaption").first).to_have_text("your picture")
    with redrawn(between):
        slots.last.locator("input").fill("24")
        slots.last.locator("input").press("Tab")
    expect(between.locator(".ends figcaption")).to_have_text(["your picture", "seed 24"])
    ends = [levels(between.locator(".ends img").nth(i)) for i in range(2)]

    set_number(tab, "vae-frames", 60)
    with slowed(visitor.app):
        press(run)
        expect(between.locator("progress")).to_be_visible()
        stop.dispatch_event("click")  # at once; a real click waits until the button stands still
        expect(run).to_be_visible()
    tab.wait_for_timeout(2 * SETTLED)
    expect(between).to_have_attribute("data-done", "false")

    set_number(tab, "vae-frames", 9)
    press(run)
    expect(between).to_have_attribute("data-done", "true", timeout=RUN)
    expect(between.locator(".row .hint")).to_have_text("Frame 5 of 9")
    strips = between.locator(".strip")
    expect(strips.first.locator("button")).to_have_count(9)
    code, pixels = between.locator(".panels canvas").first, between.locator(".panels canvas").last
    half = [(a + b) / 2 for a, b in zip(*ends, strict=True)]
    assert apart(levels(pixels), half) < 3  # type: ignore[arg-type]
    assert apart(levels(code), half) > 10  # type: ignore[arg-type]
    scrubber = between.locator("input[type=range]")
    scrubber.press("End")
    expect(between.locator(".row .hint")).to_have_text("Frame 9 of 9")
    assert apart(levels(pixels), ends[1]) < 1
    strips.last.locator("button").first.focus()
    tab.keyboard.press("Enter")
    assert apart(levels(pixels), ends[0]) < 1
    with tab.expect_download() as download:
        press(between.get_by_role("button", name="Animation"))
    with Image.open(download.value.path()) as film:
        assert (film.format, getattr(film, "n_frames", 1)) == ("WEBP", 16)  # there and back


def test_sliders_move_a_sample_that_travels_and_comes_back_by_its_link(tab: Page, visitor: Visitor) -> None:
    moved, latents = shown(tab, "moved"), shown(tab, "latents")
    still = levels(moved.locator("img").first)
    with redrawn(moved):
        tab.locator("#vae-seed input").fill("19")
    assert apart(levels(moved.locator("img").first), still) > 3
    still = levels(moved.locator("img").first)
    first, second = latents.locator(".slide input").first, latents.locator(".slide input").nth(1)
    with redrawn(moved):
        for _ in range(15):
            first.press("ArrowRight")
    with redrawn(moved):
        drag(tab, second, (0.5, 0.5), (0.2, 0.5))
    assert latents.locator("output").first.inner_text() == "1.5"
    assert apart(levels(moved.locator("img").first), still) > 3
    press(latents.locator("summary"))
    expect(latents.locator(".slide")).to_have_count(32)
    assert latents.locator(".slide.dead").count() > 0

    tab.locator("#share").click()
    expect(tab.locator("#share")).to_have_text("Copied")
    link = tab.evaluate("navigator.clipboard.readText()")
    other = visitor.open(link.removeprefix(f"{visitor.app.url}/"), first=".latents[data-drawn]")
    expect(other.locator(".moved")).to_be_in_viewport()
    expect(other.locator("#vae-seed input")).to_have_value("19")
    values = "all => all.map((input) => input.value)"
    sliders = latents.locator(".slide input").evaluate_all(values)
    assert other.locator(".latents .slide input").evaluate_all(values) == sliders
    wanted, patience = levels(moved.locator("img").first), 75
    while apart(levels(other.locator(".moved img").first), wanted) >= 1:  # drawn anew once its sliders are set
        assert (patience := patience - 1)
        other.wait_for_timeout(200)
    other.close()

    with tab.expect_download() as download:
        press(moved.get_by_role("button", name="Download"))
    (again,) = to_pictures(replay(read_recipe(download.value.path()), ModelStore(CHECKPOINTS, torch.device("cpu"))))
    with Image.open(download.value.path()) as saved:
        difference = np.asarray(saved.convert("L"), dtype=np.int16) - np.asarray(again, dtype=np.int16)
    assert np.abs(difference).max() <= 1

    press(moved.get_by_role("button", name="Take it along"))
    expect(tab.locator(".traveller")).to_contain_text("Made here")
    with redrawn(moved):
        press(tab.locator("#vae-subject").get_by_text("your picture"))
    expect(moved.locator("figcaption")).to_have_text("yours")
    with redrawn(moved):
        press(latents.get_by_role("button", name="All to 0"))
    assert apart(*(levels(moved.locator("img").nth(i)) for i in range(2))) < 20  # its own reconstruction


def test_a_place_travels_and_comes_back_by_its_link(tab: Page, visitor: Visitor) -> None:
    spot, ground = tab.locator(".spot"), tab.locator(".ground canvas:first-child").first
    with redrawn(spot):
        ground.press("ArrowDown")
    tab.evaluate("scrollTo(0, 0)")
    tab.locator("#share").click()
    expect(tab.locator("#share")).to_have_text("Copied")
    link = tab.evaluate("navigator.clipboard.readText()")
    other = visitor.open(link.removeprefix(f"{visitor.app.url}/"), first=".spot[data-drawn]")
    captions = spot.locator("figcaption").all_inner_texts()
    assert other.locator(".spot figcaption").all_inner_texts() == captions
    press(spot.get_by_role("button", name="Take it along"))
    expect(tab.locator(".traveller")).to_contain_text("Made here")
    with tab.expect_download() as download:
        press(spot.get_by_role("button", name="Download"))
    assert read_recipe(Path(download.value.path())).task == "vae-place"


@pytest.mark.parametrize(("width", "language"), [(1280, "en-US"), (390, "zh-CN")])
def test_everything_has_its_place_in_both_languages_and_themes(tab: Page, language: str) -> None:
    for name in ("encoding", "between", "moved", "latents"):
        shown(tab, name)
    press(tab.locator("#between-run"))
    expect(tab.locator(".between")).to_have_attribute("data-done", "true", timeout=RUN)
    press(tab.locator(".latents summary"))
    press(tab.get_by_role("button", name=words(tab)["story.title"]))
    colours = set()
    for _ in "light", "dark":
        tab.evaluate("scrollTo(0, 0)")
        tab.locator("#theme").click()
        tab.wait_for_timeout(SETTLED)
        assert_everything_in_place(tab)
        colours.add(tab.locator(".ground canvas").first.evaluate("canvas => canvas.toDataURL()"))
    assert len(colours) == 2
    tab.eval_on_selector_all(".code pre, .formula", "all => all.forEach((element) => element.remove())")
    text = tab.locator("body").inner_text()
    if language == "zh-CN":
        named = tab.eval_on_selector_all(
            ":is(.plane, .spot, .encoding, .slots, .between, .moved, .latents) :is([aria-label], [title], [alt])",
            "all => all.map((e) => [e.getAttribute('aria-label'), e.title, e.alt].join())",
        )
        assert not set(re.findall("[A-Za-z]+", "\n".join([text, *named]))) - OWN_NAMES
    else:
        assert set(re.findall("[\u4e00-\u9fff]+", text)) == {"中文"}
