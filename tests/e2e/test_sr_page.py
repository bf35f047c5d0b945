"""The super-resolution tab as people use it: before and after, the slider, the loupe, known truth, Stop, off states."""

import io
import re
import shutil
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from e2e.browsing import PATIENCE, RUN, Visitor, assert_everything_in_place, open_tab, press, words
from e2e.tiny import Tiny
from e2e.visiting import App, photo, running
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from imagegen.recipes import read_recipe

pytestmark = pytest.mark.browser

BUSY = """() => {
  document.querySelector("#sr-run").click();
  const end = performance.now() + 4000;
  const hold = () => {
    const until = performance.now() + 700;
    while (performance.now() < until);
    if (until < end) setTimeout(hold);
  };
  setTimeout(hold, 50);
}"""
SLIDE = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"


@pytest.fixture(scope="module")
def app(tiny: Tiny) -> App:
    return tiny.app


@pytest.fixture
def tab(page: Page) -> Page:
    """The page with this tab open and its first picture enlarged."""
    open_tab(page, "sr.tab")
    done(page)
    return page


def done(page: Page) -> None:
    expect(page.locator(".enlarge")).to_have_attribute("data-done", "true", timeout=RUN)


def enlarged(page: Page, what: Locator) -> None:
    """Press `what`, which starts a run, and wait for its end."""
    page.evaluate("document.querySelector('.enlarge').dataset.done = 'before'")
    press(what)
    done(page)


def pixels(canvas: Locator) -> np.ndarray:
    """RGB of what a canvas holds."""
    url = str(canvas.evaluate("canvas => canvas.toDataURL()"))
    return np.asarray(Image.open(io.BytesIO(b64decode(url.partition(",")[2]))).convert("RGB"), dtype=int)


def bring(page: Page, picture: Image.Image, folder: Path) -> None:
    picture.save(folder / "photo.png")
    page.locator("#sr-photo input[type=file]").set_input_files(folder / "photo.png")


def choose_source(page: Page, index: int) -> None:
    page.locator("#sr-source label").nth(index).click()


def test_an_example_comes_at_once_and_the_slider_mixes_exactly(tab: Page) -> None:
    before, after = (tab.locator(".compare canvas").nth(i) for i in (0, 1))
    expect(tab.locator(".enlarge .row")).to_contain_text("to 512×340 pixels")
    faithful = pixels(after)
    assert faithful.shape == (340, 512, 3)
    assert np.abs(faithful - pixels(before)).mean() > 1
    slider = tab.locator(".mix input")
    slider.evaluate(SLIDE, 1)
    pleasing = pixels(after)
    assert np.abs(pleasing - faithful).mean() > 5
    for share in (0.25, 0.6):
        slider.evaluate(SLIDE, share)
        assert np.abs(pixels(after) - ((1 - share) * faithful + share * pleasing)).max() <= 1.6
        expect(tab.locator(".mix output")).to_have_text(f"{round(100 * share)} %")
    slider.press("Home")
    assert (pixels(after) == faithful).all()


def test_a_page_that_is_busy_misses_nothing_that_matters(tab: Page) -> None:
    tab.evaluate("document.querySelector('.enlarge').dataset.done = 'before'")
    tab.evaluate(BUSY)
    done(tab)
    expect(tab.locator(".enlarge .row")).to_contain_text("to 512×340 pixels")


def test_one_loupe_follows_the_pointer_on_all_three(tab: Page) -> None:
    canvases, lenses = tab.locator(".ways .ground canvas:first-child"), tab.locator(".ways .lens")
    expect(canvases).to_have_count(3)
    expect(lenses.first).to_be_hidden()
    canvases.nth(1).evaluate("element => element.scrollIntoView({ block: 'center' })")
    seen = []
    for x in (0.3, 0.7):
        box = canvases.nth(1).bounding_box()
        assert box
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + 0.6 * box["height"])
        for i in range(3):
            expect(lenses.nth(i)).to_be_visible()
        seen.append([pixels(lenses.nth(i)) for i in range(3)])
        for one, other in ((0, 1), (1, 2)):
            assert 0.5 < np.abs(seen[-1][one] - seen[-1][other]).mean() < 90  # the same place, seen otherwise
    assert np.abs(seen[0][0] - seen[1][0]).mean() > 1
    spot = [float(part) for part in (tab.locator(".ways").get_attribute("data-spot") or "").split()]
    assert spot == pytest.approx([0.7, 0.6], abs=0.02)
    canvases.first.press("ArrowLeft")
    moved = [float(part) for part in (tab.locator(".ways").get_attribute("data-spot") or "").split()]
    assert moved == pytest.approx([spot[0] - 0.02, spot[1]], abs=0.002)
    canvases.first.blur()
    expect(lenses.first).to_be_hidden()


def test_known_truth_is_held_against_all_and_then_taken_away_again(tab: Page, tmp_path: Path) -> None:
    choose_source(tab, 1)
    tab.evaluate("document.querySelector('.enlarge').dataset.done = 'before'")
    bring(tab, photo(121, 82), tmp_path)  # its coming starts the run
    done(tab)
    truth = tab.locator(".truth")
    expect(truth).to_have_attribute("data-drawn", "bicubic sr-x4 srgan-x4", timeout=RUN)
    expect(tab.locator(".enlarge .row")).to_contain_text("30×20 to 120×80")
    expect(tab.locator(".ways .ground")).to_have_count(4)  # the truth beside the three
    tables = truth.locator("table").all_inner_texts()
    psnrs = [float(re.findall(r"([\d.]+) dB", text)[0]) for text in tables]
    assert psnrs[1] > psnrs[2]  # the louder network is further off
    maps = truth.locator("img").evaluate_all("all => all.map((image) => image.src)")
    assert len(set(maps)) == 3
    expect(truth.locator(".best").first).to_contain_text(f"{max(psnrs):.2f}")
    cursor = truth.locator(".chart .cursor").first
    start = cursor.get_attribute("x1")
    tab.locator(".mix input").evaluate(SLIDE, 0.5)
    expect(truth.locator(".chart .cursor").first).not_to_have_attribute("x1", start or "")
    tab.get_by_role("button", name=words(tab)["story.title"]).click()
    expect(tab.locator(".losses table")).to_contain_text("dB")

    choose_source(tab, 0)
    enlarged(tab, tab.locator("#sr-run"))
    expect(truth).not_to_have_attribute("data-drawn", re.compile("."))
    expect(tab.locator(".ways .ground")).to_have_count(3)


def test_the_result_is_downloaded_with_its_recipe_and_travels_on(tab: Page, tmp_path: Path) -> None:
    tab.evaluate("document.querySelector('.enlarge').dataset.done = 'before'")
    bring(tab, photo(50, 40), tmp_path)
    expect(tab.locator(".enlarge .row")).to_contain_text("50×40 to 200×160", timeout=RUN)
    done(tab)
    tab.locator(".mix input").evaluate(SLIDE, 0.5)
    on_page = pixels(tab.locator(".compare canvas").nth(1))
    take, download = (tab.locator(".enlarge .buttons button").nth(i) for i in (0, 1))
    for _ in range(2):  # the same once more
        with tab.expect_download(timeout=RUN) as file:
            press(download)
    path = file.value.path()
    recipe = read_recipe(path)
    assert (recipe.task, recipe.request) == ("upscale-pleasing", {"pleasing": 0.5})
    with Image.open(path) as picture:
        assert np.abs(np.asarray(picture, dtype=int) - on_page).max() <= 2
    press(take)
    expect(tab.locator(".traveller")).to_contain_text(words(tab)["traveller.made"], timeout=RUN)
    expect(tab.locator(".enlarge .row")).to_contain_text("50×40 to 200×160")  # it is not enlarged again unasked
    enlarged(tab, tab.locator("#sr-run"))
    expect(tab.locator(".enlarge .row")).to_contain_text("200×160 to 800×640")


def test_a_large_picture_fills_in_and_can_be_stopped(tab: Page, tiny: Tiny, tmp_path: Path) -> None:
    before = tiny.calls()
    bring(tab, photo(900, 700), tmp_path)
    root = tab.locator(".enlarge")
    expect(root.locator("progress")).to_have_attribute("max", "20", timeout=RUN)  # the first tile has come
    tab.locator("#sr-stop").click()
    expect(tab.locator("#sr-run")).to_be_visible(timeout=PATIENCE)
    tab.wait_for_timeout(500)
    calls = tiny.calls()
    tab.wait_for_timeout(700)
    assert tiny.calls() == calls < before + 2 * 20
    assert root.get_attribute("data-done") == "false"
    expect(root).to_contain_text("900×700")  # says that it was made smaller
    smooth, filled = (pixels(tab.locator(".compare canvas").nth(i)) for i in (0, 1))
    assert (smooth[-12:, -12:] == filled[-12:, -12:]).all()  # the last tile was not computed
    assert np.abs(smooth[:200, :200] - filled[:200, :200]).mean() > 1
    press(tab.locator("#sr-examples button").first)
    done(tab)


def test_a_picture_too_small_to_be_made_smaller_is_refused(tab: Page, tmp_path: Path) -> None:
    choose_source(tab, 1)
    bring(tab, photo(10, 10), tmp_path)
    expect(tab.get_by_text("needs 20 pixels a side")).to_be_visible(timeout=PATIENCE)
    choose_source(tab, 0)
    enlarged(tab, tab.locator("#sr-run"))
    expect(tab.locator(".enlarge .row")).to_contain_text("10×10 to 40×40")


@pytest.mark.parametrize(("width", "language"), [(1280, "en-US"), (390, "zh-CN")])
def test_it_looks_as_it_should(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open()
    open_tab(page, "sr.tab")
    done(page)
    choose_source(page, 1)
    bring(page, photo(64, 48), tmp_path)
    page.locator(".truth[data-drawn]").wait_for(timeout=RUN)
    assert_everything_in_place(page)


def test_what_is_missing_says_so(browser: Browser, checkpoints: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(checkpoints, tmp_path / "checkpoints")
    for name in ("srgan-x4", "sr-x4-real", "style-features"):
        shutil.rmtree(folder / name)
    with running(tmp_path / "log.txt", folder) as app:
        visitor = Visitor(browser.new_context(locale="en-US"), app)
        page = visitor.open()
        open_tab(page, "sr.tab")
        done(page)
        expect(page.locator(".mix input")).to_be_disabled()
        expect(page.locator(".mix")).to_contain_text(words(page)["enlarge.mix.missing"])
        expect(page.locator(".ways .missing")).to_contain_text("srgan-x4")
        expect(page.get_by_text(words(page)["sr.real.missing"])).to_be_visible()
        choose_source(page, 1)
        bring(page, photo(64, 48), tmp_path)
        expect(page.locator(".truth")).to_have_attribute("data-drawn", "bicubic sr-x4", timeout=RUN)
        expect(page.locator(".truth table").first).to_contain_text("–")
        assert not visitor.faults
        visitor.context.close()
