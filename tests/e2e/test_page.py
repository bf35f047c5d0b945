"""The GAN tab as people use it, in a real browser: mouse, keyboard, files, links and downloads."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from e2e.browsing import RUN, SETTLED, Visitor, drag, open_tab, press, set_number
from e2e.visiting import CHECKPOINTS, slowed
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from imagegen.images import to_pictures
from imagegen.recipes import read_recipe, to_link
from imagegen.store import ModelStore
from imagegen.tasks.gan import WalkRequest
from imagegen.tasks.registry import TASKS, recipe_of, replay

pytestmark = pytest.mark.browser

BOTH_WIDTHS = pytest.mark.parametrize("width", [1280, 390])
QUIET = 400  # milliseconds without a redraw, after which none is coming
DRAWN = "Number(document.querySelector('.sheet').dataset.drawn)"

LATE_END = """
const ask = window.fetch;
const slow = () => new TransformStream({ transform(chunk, stream) {
  const text = new TextDecoder().decode(chunk);
  const at = text.indexOf('data: {"msg":"close_stream"');
  const bytes = new TextEncoder();
  if (at < 0) return stream.enqueue(chunk);
  stream.enqueue(bytes.encode(text.slice(0, at)));
  return new Promise((done) => setTimeout(() => { stream.enqueue(bytes.encode(text.slice(at))); done(); }, 1500));
} });
window.fetch = async (...request) => {
  const response = await ask(...request);
  const answers = String(request[0].url ?? request[0]).includes("/queue/data?");
  return answers ? new Response(response.body.pipeThrough(slow())) : response;
};
"""
"""The page reads of the end of its stream of answers 1.5 s after it was sent, as over a slow line."""


def cells(page: Page) -> list[str]:
    """Every digit's pixels as the page shows them."""
    found: list[str] = page.eval_on_selector_all(".cell canvas", "all => all.map((canvas) => canvas.toDataURL())")
    return found


@contextmanager
def redrawn(page: Page) -> Iterator[None]:
    """What is done inside draws the sheet anew; afterwards it stands still."""
    before = page.evaluate(DRAWN)
    yield
    page.wait_for_function(f"before => {DRAWN} > before", arg=before)
    while before != (before := page.evaluate(DRAWN)):
        page.wait_for_timeout(QUIET)


def slider(page: Page, name: str) -> Locator:
    return page.locator(f"#{name} input[type=range]")


@BOTH_WIDTHS
def test_the_first_picture_is_there(page: Page) -> None:
    expect(page.locator(".cell")).to_have_count(30)
    assert len(set(cells(page))) == 30
    expect(page.locator(".cell").first).to_have_attribute("aria-label", "Digit 1: asked for 0, reads as 0")


@BOTH_WIDTHS
def test_choosing_what_to_draw(page: Page) -> None:
    seen = [cells(page)]
    with redrawn(page):
        page.locator("#digit").get_by_text("7", exact=True).click()
    seen.append(cells(page))
    expect(page.locator(".cell").first).to_have_attribute("aria-label", re.compile("asked for 7"))
    with redrawn(page):
        page.locator("#dice").click()
    seen.append(cells(page))
    with redrawn(page):
        page.locator("#seed input").fill("12")
    seen.append(cells(page))
    with redrawn(page):
        slider(page, "direction-1").press("ArrowRight")
    seen.append(cells(page))
    with redrawn(page):
        drag(page, slider(page, "direction-2"), (0.5, 0.5), (0.9, 0.5))
    assert float(slider(page, "direction-2").input_value()) > 2
    seen.append(cells(page))
    assert len({tuple(sheet) for sheet in seen}) == len(seen)


def test_more_controls(page: Page) -> None:
    page.get_by_role("button", name="More controls").click()
    with redrawn(page):
        set_number(page, "count", 5)
    expect(page.locator(".cell")).to_have_count(5)
    with redrawn(page):
        drag(page, slider(page, "truncation"), (2 / 3, 0.5), (0, 0.5))
    with redrawn(page):
        page.locator("#second input").click()
        page.get_by_role("option", name="9", exact=True).click()
    with redrawn(page):
        drag(page, slider(page, "mix"), (0.5, 0.5), (1, 0.5))
    expect(page.locator(".cell").first).to_have_attribute("aria-label", re.compile("asked for 9"))


@BOTH_WIDTHS
def test_a_clicked_digit_is_the_one_that_moves(page: Page) -> None:
    expect(page.locator(".traveller .empty")).to_be_visible()
    fourth = page.locator(".cell").nth(3)
    with redrawn(page):
        fourth.click()
    expect(fourth).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".traveller img")).to_be_visible()
    expect(page.locator(".verdict .bar")).to_have_count(10)
    expect(page.locator(".verdict")).to_contain_text("Classifier: 3")

    before = cells(page)
    with redrawn(page):
        for _ in range(10):
            slider(page, "direction-1").press("ArrowRight")
    changed = [i for i, (old, new) in enumerate(zip(before, cells(page), strict=True)) if old != new]
    assert changed == [3]

    with redrawn(page):
        press(fourth)
    expect(fourth).to_have_attribute("aria-pressed", "false")
    assert sum(old != new for old, new in zip(before, cells(page), strict=True)) > 20


def test_a_digit_travels_as_the_sliders_leave_it(page: Page) -> None:
    page.locator(".cell").nth(4).click()
    travelling = page.locator(".traveller img")
    expect(travelling).to_be_visible()
    before = travelling.get_attribute("src")
    with redrawn(page):
        drag(page, slider(page, "direction-2"), (0.5, 0.5), (0.9, 0.5))
    expect(travelling).not_to_have_attribute("src", str(before))


@BOTH_WIDTHS
def test_a_drawing_is_judged(page: Page) -> None:
    pad = page.locator(".pad canvas")
    pad.evaluate("element => element.scrollIntoView({ block: 'center' })")
    drag(page, pad, (0.5, 0.2), (0.5, 0.8))
    expect(page.locator(".verdict")).to_contain_text("Classifier: 1")
    expect(page.locator(".bar.best b")).to_have_text("1")
    expect(page.locator(".traveller")).to_contain_text("Not made here: a drawing or a photo.")
    press(page.get_by_role("button", name="Clear"))
    assert (
        len(set(pad.evaluate("pad => [...pad.getContext('2d').getImageData(0, 0, pad.width, pad.height).data]"))) == 1
    )


def test_an_uploaded_picture_is_judged_and_a_bad_one_refused(page: Page, one_png: Path, tmp_path: Path) -> None:
    fake = tmp_path / "fake.png"
    fake.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    page.set_input_files("#upload input[type=file]", fake)
    expect(page.get_by_test_id("toast-body")).to_contain_text("not a picture that can be read here")
    page.get_by_test_id("toast-close").click()
    page.set_input_files("#upload input[type=file]", one_png)
    expect(page.locator(".verdict")).to_contain_text("Classifier: 1")


@BOTH_WIDTHS
def test_a_walk_runs_stops_and_ends(page: Page, visitor: Visitor, tmp_path: Path) -> None:
    frames = page.locator("input[type=number][max='60']")
    frames.fill("60")
    frames.press("Tab")
    run, stop = page.locator("#walk-run"), page.locator("#walk-stop")
    with slowed(visitor.app):
        press(run)
        expect(page.locator(".film progress")).to_be_visible()
        stop.dispatch_event("click")  # at once; a real click waits until the button stands still
        expect(run).to_be_visible()
    expect(stop).to_be_hidden()
    page.wait_for_timeout(QUIET)
    stopped_at = page.locator(".film .hint").inner_text()
    assert stopped_at != "Frame 60 of 60"
    page.wait_for_timeout(2 * QUIET)
    assert page.locator(".film .hint").inner_text() == stopped_at

    frames.fill("12")
    frames.press("Tab")
    run.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download WebP").click()
    expect(page.locator(".film .hint")).to_have_text("Frame 12 of 12")
    expect(run).to_be_visible()
    with Image.open(download.value.path()) as film:
        assert film.format == "WEBP"
        assert getattr(film, "n_frames", 1) == 12
    assert read_recipe(download.value.path()).request["frames"] == 12


def test_a_link_opens_the_page_as_it_stands(page: Page, visitor: Visitor) -> None:
    with redrawn(page):
        page.locator("#digit").get_by_text("5", exact=True).click()
    with redrawn(page):
        slider(page, "direction-1").press("ArrowRight")
    with redrawn(page):
        page.locator(".cell").nth(2).click()
    page.locator("#share").click()
    expect(page.locator("#share")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{visitor.app.url}/?recipe=")

    other = visitor.open(link.removeprefix(f"{visitor.app.url}/"))
    expect(other.locator("#digit input:checked")).to_have_value("5")
    expect(other.locator(".cell").nth(2)).to_have_attribute("aria-pressed", "true")
    expect(slider(other, "direction-1")).to_have_value(slider(page, "direction-1").input_value())
    assert cells(other) == cells(page)


def test_a_link_of_nonsense_is_refused(visitor: Visitor) -> None:
    page = visitor.open("?recipe=bm9uc2Vuc2U")
    expect(page.get_by_test_id("toast-body")).to_contain_text("The recipe is damaged")
    expect(page.locator(".cell")).to_have_count(30)


def test_a_recipe_that_no_tab_has_controls_for_is_refused(visitor: Visitor) -> None:
    recipe = recipe_of(TASKS["gan-walk"], WalkRequest(), ModelStore(CHECKPOINTS, torch.device("cpu")))
    page = visitor.open(f"?recipe={to_link(recipe)}")
    expect(page.get_by_test_id("toast-body")).to_contain_text("no tab has controls to set")
    expect(page.locator(".cell")).to_have_count(30)


def test_of_two_quick_clicks_both_count(page: Page) -> None:
    page.evaluate("[3, 5].forEach((i) => document.querySelectorAll('.cell')[i].click())")
    expect(page.locator(".cell").nth(5)).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".verdict")).to_contain_text("Classifier: 5")
    page.wait_for_timeout(SETTLED)
    assert page.locator(".cell[aria-pressed=true]").count() == 1


def test_what_is_asked_while_word_of_the_streams_end_is_on_its_way_is_answered(visitor: Visitor) -> None:
    visitor.context.add_init_script(LATE_END)
    page = visitor.open()
    for digit in 3, 5:  # the end that is held back is that of the answer to the first
        page.locator(".cell").nth(digit).click()
        expect(page.locator(".verdict")).to_contain_text(f"Classifier: {digit}")


def test_a_tab_that_is_not_open_computes_nothing(page: Page) -> None:
    """One that was opened before, too, until it is opened again."""
    open_tab(page, "style.tab")
    page.locator(".painted[data-whole=true]").wait_for(timeout=RUN)
    open_tab(page, "gan.tab")
    before = page.evaluate("document.querySelector('.styles img').src")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/queue/join" in request.url else None)
    press(page.locator(".cell").nth(3))
    expect(page.locator(".verdict")).to_contain_text("Classifier: 3")
    page.wait_for_timeout(2 * SETTLED)
    assert len(asked) <= 5
    assert page.evaluate("document.querySelector('.styles img').src") == before
    open_tab(page, "style.tab")
    page.wait_for_function("(src) => document.querySelector('.styles img').src !== src", arg=before, timeout=RUN)


def test_a_downloaded_digit_can_be_made_again(page: Page) -> None:
    with redrawn(page):
        slider(page, "direction-1").press("ArrowRight")
    with redrawn(page):
        page.locator(".cell").nth(16).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PNG").click()
    recipe = read_recipe(download.value.path())
    assert recipe.index == 16
    (again,) = to_pictures(replay(recipe, ModelStore(CHECKPOINTS, torch.device("cpu"))))
    with Image.open(download.value.path()) as saved:
        difference = np.asarray(saved.convert("L"), dtype=np.int16) - np.asarray(again, dtype=np.int16)
    assert np.abs(difference).max() <= 1


def test_the_story_tells_numbers_and_the_lines_that_ran(page: Page) -> None:
    with redrawn(page):
        page.locator("#dice").click()  # the lines are there whatever came before they were looked at
    page.get_by_role("button", name="What just happened").click()
    expect(page.locator(".formula b")).to_have_count(2)
    numbers: Any = page.locator(".formula b").all_inner_texts()
    assert len(numbers) == 2
    assert all(re.fullmatch(r"= \d+\.\d{3}", number) for number in numbers)
    with redrawn(page):
        page.locator("#dice").click()
    expect(page.locator(".formula b").first).not_to_have_text(numbers[0])
    page.get_by_role("button", name="Copy", exact=True).click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("@torch.no_grad()\ndef _sample(")
    assert page.locator(".code code").inner_text().strip() == copied.strip()
