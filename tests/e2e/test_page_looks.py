"""The page in two languages, two themes and two widths: nothing untranslated, nothing out of place."""

import re
from pathlib import Path

import pytest
from e2e.browsing import RUN, SETTLED, Visitor, assert_everything_in_place, press, unfold_everything
from playwright.sync_api import Page, expect

from imagegen.ui import TABS
from imagegen.ui.language import locale

pytestmark = pytest.mark.browser

WIDTHS = pytest.mark.parametrize("width", [1280, 390])
LANGUAGES = pytest.mark.parametrize("language", ["en-US", "zh-CN"])
OWN_NAMES = {
    "GAN",
    "CelebA",
    "MNIST",
    "PNG",
    "WebP",
    "CPU",
    "CUDA",
    "API",
    "English",
    "VAE",
    "MLP",
    "DCGAN",
    "FID",
    "IS",
    "L",
    "G",
    "D",
    "z",
    "x",
    "mean",
    "log",
    "exp",
}


def open_everything(page: Page) -> None:
    """Choose a digit and unfold what is folded, so that all there is to see is there."""
    page.locator(".cell").nth(3).click()
    page.locator(".verdict .bar").first.wait_for()
    unfold_everything(page)
    page.wait_for_timeout(SETTLED)


@WIDTHS
@LANGUAGES
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everything_has_its_place(page: Page, width: int, language: str, theme: str) -> None:
    if page.evaluate("document.body.classList.contains('dark')") != (theme == "dark"):
        page.locator("#theme").click()
    open_everything(page)
    assert_everything_in_place(page)
    assert "{" not in re.sub(r"(?s)@torch\.no_grad.*", "", page.locator("body").inner_text())


@pytest.mark.parametrize("language", ["zh-HK"])
def test_chinese_is_for_those_too_whose_region_gradio_does_not_know(page: Page) -> None:
    expect(page.get_by_role("tab")).to_have_text([locale("zh")[f"{key}.tab"] for key in TABS])
    expect(page.get_by_role("heading", level=1)).to_have_text(locale("zh")["title"])


def test_tabs_that_were_never_opened_change_their_language_too(page: Page, visitor: Visitor) -> None:
    tabs = page.get_by_role("tab")
    page.get_by_role("button", name="中文").click()
    expect(tabs).to_have_text([locale("zh")[f"{key}.tab"] for key in TABS])
    visitor.reload(page)
    expect(tabs).to_have_text([locale("zh")[f"{key}.tab"] for key in TABS])
    page.get_by_role("button", name="English").click()
    expect(tabs).to_have_text([locale("en")[f"{key}.tab"] for key in TABS])


@pytest.mark.parametrize("language", ["zh-CN", "zh-TW"])
def test_chinese_is_chinese_throughout(page: Page) -> None:
    open_everything(page)
    page.eval_on_selector_all(".code pre, .formula", "all => all.forEach((element) => element.remove())")
    labels = page.eval_on_selector_all(
        ".header [aria-label], .sheet [aria-label], .pad [aria-label], .verdict [title], .film [aria-label]",
        "all => all.map((element) => element.getAttribute('aria-label') ?? element.getAttribute('title'))",
    )
    words = "\n".join([page.locator("body").inner_text(), *labels])
    assert set(re.findall(r"[A-Za-z]+", words)) <= OWN_NAMES


def test_an_english_browser_sees_no_chinese(page: Page) -> None:
    open_everything(page)
    assert set(re.findall(r"[\u4e00-\u9fff]+", page.locator("body").inner_text())) == {"中文"}


@WIDTHS
def test_language_switches_in_the_page_and_is_remembered(page: Page, visitor: Visitor) -> None:
    page.evaluate("window.notReloaded = true")
    for code, heading, label in [
        ("zh", "从零开始的图像生成", "数字"),
        ("en", "ImageGen from Zero", "Digit"),
        ("zh", "从零开始的图像生成", "数字"),
    ]:
        page.locator(f"#language-{code}").click()
        expect(page.locator("h1")).to_have_text(heading)
        expect(page.locator("#digit [data-testid=block-info]")).to_have_text(label)
        expect(page.locator(f"#language-{code}")).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("window.notReloaded")
    visitor.reload(page)
    expect(page.locator("h1")).to_have_text("从零开始的图像生成")
    expect(page.locator("#digit [data-testid=block-info]")).to_have_text("数字")


def test_errors_speak_the_chosen_language(page: Page, tmp_path: Path) -> None:
    page.locator("#language-zh").click()
    expect(page.locator("h1")).to_have_text("从零开始的图像生成")
    empty = tmp_path / "blank.bmp"
    empty.write_bytes(b"BM")
    page.set_input_files("#upload input[type=file]", empty)
    expect(page.get_by_test_id("toast-body")).to_contain_text("图片")
    expect(page.locator(".toast-title")).to_have_text("无法完成")


def test_buttons_whose_run_is_over_change_their_language_too(page: Page) -> None:
    run, stop = page.locator("#walk-run"), page.locator("#walk-stop")
    press(run)
    expect(stop).to_be_visible()
    expect(run).to_be_visible(timeout=RUN)
    page.locator("#language-zh").click()
    expect(run).to_have_text(locale("zh")["gan.walk.run"])
    press(run)
    expect(stop).to_have_text(locale("zh")["stop"])
    page.locator("#language-en").click()
    expect(stop).to_have_text(locale("en")["stop"])
    expect(run).to_have_text(locale("en")["gan.walk.run"], timeout=RUN)


@pytest.mark.parametrize("width", [390])
def test_on_a_phone_a_result_comes_into_sight(page: Page) -> None:
    press(page.locator("#walk-run"))
    expect(page.locator("#film")).to_be_in_viewport(ratio=0.5, timeout=RUN)


def test_theme_switches_and_is_remembered(page: Page, visitor: Visitor) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.querySelector('gradio-app')).backgroundColor"))

    light = background()
    page.locator("#theme").click()
    page.wait_for_timeout(SETTLED)
    dark = background()
    assert dark != light
    visitor.reload(page)
    page.wait_for_timeout(SETTLED)
    assert background() == dark


def test_keyboard_reaches_the_digits(page: Page) -> None:
    first = page.locator(".cell").first
    first.focus()
    first.press("Enter")
    expect(first).to_have_attribute("aria-pressed", "true")
