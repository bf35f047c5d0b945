"""The editing tab in a browser, of a tiny untrained checkpoint: brush, run, result; both languages, wide and narrow."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from e2e.browsing import (
    RUN,
    SETTLED,
    assert_in_place_in_both_themes,
    drag,
    open_tab,
    press,
    set_number,
    unfold_everything,
    until,
    words,
)
from e2e.tiny import Tiny
from e2e.visiting import App, photo, slowed
from PIL import Image
from playwright.sync_api import Page, expect

from imagegen.images import open_picture
from imagegen.recipes import read_recipe
from imagegen.ui.editing import EXAMPLES, STRENGTHS

pytestmark = pytest.mark.browser

DONE = '.edited[data-done="true"]'
OWN_NAMES = {
    "sd-mini", "SDEdit", "CelebA", "Noto", "Emoji", "Blobmoji", "EmojiTwo", "GAN", "VAE", "CPU", "CUDA", "API",
    "English", "ddim", "v", "t", "m", "x", "x_t", "PNG", "WebP",
}  # fmt: skip


@pytest.fixture
def app(tiny: Tiny) -> App:
    return tiny.app


@pytest.fixture
def tab(page: Page) -> Page:
    """The page with this tab open; a face is made and edited without a click."""
    open_tab(page, "edit.tab")
    page.locator(DONE).wait_for(timeout=RUN)
    return page


@contextmanager
def edited(page: Page) -> Iterator[None]:
    """What is done inside starts a run; afterwards it is done."""
    page.evaluate("document.querySelector('.edited').dataset.done = 'before'")
    yield
    page.locator(DONE).wait_for(timeout=RUN)
    page.wait_for_timeout(SETTLED)


def panels(page: Page) -> list[str]:
    """What is side by side at the step that is looked at."""
    found: list[str] = page.eval_on_selector_all(
        ".edited .panels canvas", "all => all.map((canvas) => canvas.toDataURL())"
    )
    return found


def result(page: Page, folder: Path) -> Path:
    with page.expect_download() as saved:
        page.locator(".result").get_by_role("button", name=words(page)["download"]).click()
    file = folder / "picture.png"
    saved.value.save_as(file)
    return file


def test_a_stroke_changes_what_is_under_it_and_no_other_pixel(tab: Page, tmp_path: Path) -> None:
    brought = tmp_path / "photo.png"
    photo(64, 64).save(brought)
    press(tab.get_by_role("button", name=words(tab)["edit.bring"]).locator("visible=true"))
    tab.locator("#edit-photo input[type=file]").set_input_files(brought)
    expect(tab.locator(".traveller")).to_contain_text(words(tab)["traveller.brought"])
    press(tab.locator(".brush").get_by_role("button", name="Clear"))
    tab.wait_for_timeout(SETTLED)
    press(tab.locator("#edit-run"))
    expect(tab.get_by_test_id("toast-body")).to_contain_text("The mask is empty", timeout=RUN)
    expect(tab.locator("#edit-run")).to_be_visible(timeout=RUN)

    tab.locator("#edit-seed input").fill("5")
    press(tab.get_by_role("button", name=words(tab)["more"]).locator("visible=true"))
    set_number(tab, "edit-steps", 4)
    drag(tab, tab.locator(".brush canvas"), (0.25, 0.5), (0.75, 0.5))
    with edited(tab):
        press(tab.locator("#edit-run"))
    file = result(tab, tmp_path)
    after, before = (np.asarray(each) for each in (open_picture(file), Image.open(brought).convert("RGB")))
    changed = (after != before).any(axis=2)
    assert changed[29:35, 20:44].mean() > 0.8
    assert not changed[:24].any()
    assert not changed[40:].any()
    recipe = read_recipe(file)
    assert (recipe.task, recipe.seed, recipe.request["steps"], len(recipe.inputs)) == ("inpaint", 5, 4, 2)

    expect(tab.locator(".steps > .hint")).to_contain_text("Step 4 of 4")
    shown = panels(tab)
    assert len(shown) == 3
    slider = tab.locator(".edited .scrub input")
    slider.focus()
    tab.keyboard.press("Home")
    expect(tab.locator(".steps > .hint")).to_contain_text("Step 1 of 4")
    until(tab, lambda: all(a != b for a, b in zip(shown[:2], panels(tab)[:2], strict=True)))
    press(tab.locator(".edited summary"))
    expect(tab.locator(".edited .numbers")).to_contain_text(re.compile(r"inside: \d\.\d{3}\s*outside: \d\.\d{3}"))
    expect(tab.locator(".edited .code")).to_contain_text("def without_seam(")
    handle = tab.locator(".result .compare input")
    handle.fill("100")
    expect(tab.locator(".result .compare")).to_have_attribute("style", re.compile("--at: ?100%"))
    press(tab.locator(".result").get_by_role("button", name=words(tab)["take"]))
    expect(tab.locator(".traveller")).to_contain_text(words(tab)["traveller.made"])


def test_a_photo_that_comes_while_a_face_is_made_is_kept(page: Page, tiny: Tiny, tmp_path: Path) -> None:
    brought = tmp_path / "photo.png"
    photo(64, 64).save(brought)
    with slowed(tiny.app):
        open_tab(page, "edit.tab")
        expect(page.locator("#face-stop")).to_be_visible(timeout=RUN)
        press(page.get_by_role("button", name=words(page)["edit.bring"]).locator("visible=true"))
        page.locator("#edit-photo input[type=file]").set_input_files(brought)
        expect(page.locator("#face-run")).to_be_visible(timeout=RUN)
    page.wait_for_timeout(2 * SETTLED)
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.brought"])
    assert page.locator(DONE).count() == 0, "no edit that nobody asked for"
    with edited(page):
        press(page.locator("#edit-run"))
    assert read_recipe(result(page, tmp_path)).inputs


def test_a_long_run_is_stopped(tab: Page, tiny: Tiny) -> None:
    press(tab.get_by_role("button", name=words(tab)["more"]).locator("visible=true"))
    set_number(tab, "edit-steps", 100)
    press(tab.locator("#edit-run"))
    expect(tab.locator(".edited")).to_have_attribute("data-done", "false", timeout=RUN)
    tab.locator("#edit-stop").dispatch_event("click")  # at once; a real click waits until the button stands still
    expect(tab.locator("#edit-run")).to_be_visible()
    tab.wait_for_timeout(SETTLED)
    calls = tiny.calls()
    tab.wait_for_timeout(2 * SETTLED)
    assert tiny.calls() == calls
    expect(tab.locator(".edited")).to_have_attribute("data-done", "false")


@pytest.mark.parametrize(("width", "language"), [(1280, "en-US"), (390, "zh-CN")])
def test_both_modes_and_everything_has_its_place(tab: Page, language: str) -> None:
    code = language[:2]
    with edited(tab):
        press(tab.locator("#edit-phrases button").nth(2))
    expect(tab.locator("#edit-prompt textarea")).to_have_value(list(EXAMPLES[code])[2])
    canvas = tab.locator(".brush canvas")
    covered = canvas.evaluate("canvas => canvas.toDataURL()")
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "Space"):
        tab.keyboard.press(key)
    assert canvas.evaluate("canvas => canvas.toDataURL()") != covered

    press(tab.locator("#edit-mode label").nth(1))
    expect(tab.locator(".brush")).to_have_attribute("data-mode", "whole", timeout=RUN)
    expect(tab.locator("#edit-strength input[type=number]")).to_have_value("0.6")
    with edited(tab):
        press(tab.locator("#edit-run"))
    expect(tab.locator(".edited .panels figure")).to_have_count(2)
    press(tab.locator("#strengths-run"))
    strip = tab.locator("#strengths .abreast")
    expect(strip).to_have_attribute("data-done", "true", timeout=RUN)
    expect(strip.locator("figcaption")).to_have_text([f"{strength:g}" for strength in STRENGTHS])
    pictures = strip.locator("img").evaluate_all("all => all.map((image) => image.src)")
    assert len(set(pictures)) == len(STRENGTHS)

    press(tab.locator("#edit-mode label").nth(0))
    expect(tab.locator(".brush")).to_have_attribute("data-mode", "part", timeout=RUN)
    press(tab.locator(".edited summary"))
    unfold_everything(tab)
    assert_in_place_in_both_themes(tab)
    tab.eval_on_selector_all(".code pre, .phrases", "all => all.forEach((element) => element.remove())")
    text = tab.locator("body").inner_text()
    if code == "zh":
        named = tab.eval_on_selector_all(
            ":is(.brush, .edited, .abreast) :is([aria-label], [title])",
            "all => all.map((element) => element.getAttribute('aria-label') ?? element.getAttribute('title'))",
        )
        assert set(re.findall("[A-Za-z][A-Za-z_-]*", "\n".join([text, *named]))) <= OWN_NAMES
    else:
        assert set(re.findall("[\u4e00-\u9fff]+", text)) == {"中文"}
