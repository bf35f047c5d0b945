"""Rows 1, 2, 9 to 13 and 32 of the bad inputs as a person meets them: the page says in their language what is wrong."""

from contextlib import suppress
from pathlib import Path

import pytest
from e2e.browsing import PATIENCE, RUN, open_tab, press, words
from e2e.endpoints import PICTURE
from e2e.tiny import Tiny
from e2e.visiting import App
from hostile_files import flat_png
from playwright.sync_api import Browser, Page, TimeoutError, expect

from imagegen.ui.language import locale

pytestmark = pytest.mark.browser
UPLOADS = {
    "gan.tab": "#upload",
    "vae.tab": "#vae-upload",
    "diff.tab": "#diff-upload",
    "edit.tab": "#edit-photo",
    "style.tab": "#style-photo",
    "sr.tab": "#sr-photo",
}
"""Where each tab takes a picture; in the words' tab there is none."""
FOLDED = {"diff.tab": "bring", "edit.tab": "edit.bring"}
"""What unfolds it there."""
NO_PICTURE = "This file is not a picture that can be read here. Use PNG, JPEG, WebP, GIF, BMP or TIFF."


@pytest.fixture(scope="module")
def app(tiny: Tiny) -> App:
    return tiny.app


@pytest.fixture(params=["en-US", "zh-CN"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def refused(page: Page, text: str) -> None:
    """A message with these words, which is then closed."""
    toast = page.get_by_test_id("toast-body").filter(has_text=text)
    expect(toast).to_be_visible(timeout=RUN)
    with suppress(TimeoutError):  # one that goes by itself meanwhile is closed as well
        toast.get_by_test_id("toast-close").click()
    expect(toast).to_have_count(0, timeout=PATIENCE)


def test_rows_9_and_10_every_tab_refuses_what_is_no_picture(page: Page, language: str, tmp_path: Path) -> None:
    fake, real = tmp_path / "fake.png", tmp_path / "real.png"
    fake.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    PICTURE.save(real)
    for tab, upload in UPLOADS.items():
        open_tab(page, tab)
        if tab in FOLDED:
            press(page.get_by_role("button", name=words(page)[FOLDED[tab]]).locator("visible=true"))
        field = page.locator(f"{upload} input[type=file]")
        field.set_input_files(fake)
        refused(page, locale("zh")[NO_PICTURE] if language == "zh-CN" else NO_PICTURE)
    open_tab(page, "gan.tab")
    page.locator("#upload input[type=file]").set_input_files(real)
    expect(page.locator(".verdict")).to_contain_text("%", timeout=RUN)


@pytest.mark.parametrize("language", ["en-US"])
def test_rows_1_and_2_a_bomb_is_refused(page: Page, tmp_path: Path) -> None:
    for side in (12_000, 50_000):
        bomb = tmp_path / f"{side}.png"
        bomb.write_bytes(flat_png(side, side, 1))
        page.locator("#upload input[type=file]").set_input_files(bomb)
        refused(page, "more than 16 megapixels")


@pytest.mark.parametrize("language", ["en-US"])
def test_row_32_a_visitors_picture_is_their_own(page: Page, browser: Browser, app: App, tmp_path: Path) -> None:
    mine = tmp_path / "mine.png"
    PICTURE.save(mine)
    page.locator("#upload input[type=file]").set_input_files(mine)
    expect(page.locator(".traveller img")).to_be_visible(timeout=RUN)
    for context in (browser.new_context(), page.context):  # another visitor, and another page of the same one
        other = context.new_page()
        other.goto(app.url)
        expect(other.locator(".traveller .empty")).to_be_visible(timeout=RUN)
        other.close()
    expect(page.locator(".traveller img")).to_be_visible()


def test_rows_11_to_13_a_seed_out_of_range_is_refused(page: Page, language: str) -> None:
    seed = page.locator("#seed input[type=number]").first
    for value in ("-1", "4294967296", "0.5"):
        seed.fill(value)
        seed.press("Tab")
        refused(page, "0 到 4294967295" if language == "zh-CN" else "from 0 to 4294967295")
    seed.fill("7")
    seed.press("Tab")
    expect(page.locator(".sheet[data-drawn]")).to_be_visible()
