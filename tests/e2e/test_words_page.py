"""The words tab in a browser, of a tiny untrained checkpoint: every control, both languages, wide and narrow."""

import io
import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from e2e.browsing import (
    RUN,
    SETTLED,
    Visitor,
    assert_in_place_in_both_themes,
    choose,
    open_tab,
    press,
    set_number,
    unfold_everything,
    until,
    words,
)
from e2e.tiny import Tiny
from e2e.visiting import App, digit_picture
from PIL import Image
from playwright.sync_api import Page, expect

from imagegen.recipes import read_recipe
from imagegen.ui.text_to_image import EXAMPLES, GUIDANCE_STRIP

pytestmark = pytest.mark.browser

PAINTED = '.painting[data-done="true"]'
OWN_NAMES = {
    "Stable", "Diffusion", "U-Net", "CelebA", "Noto", "Emoji", "Blobmoji", "EmojiTwo", "GAN", "VAE", "MNIST", "CPU",
    "CUDA", "API", "English", "PNG", "WebP", "ddim", "v", "w", "t", "startoftext", "endoftext",
}  # fmt: skip


@pytest.fixture
def app(tiny: Tiny) -> App:
    return tiny.app


@pytest.fixture
def tab(page: Page) -> Page:
    """The page with this tab open and its first run done, which needs no click."""
    open_tab(page, "words.tab")
    page.locator(PAINTED).wait_for(timeout=RUN)
    return page


@contextmanager
def painted(page: Page) -> Iterator[None]:
    """What is done inside starts a run; afterwards it is done."""
    page.evaluate("document.querySelector('.painting').dataset.done = 'before'")
    yield
    page.locator(PAINTED).wait_for(timeout=RUN)
    page.wait_for_timeout(SETTLED)


def large(page: Page) -> str:
    found: str = page.locator(".large canvas").evaluate("canvas => canvas.toDataURL()")
    return found


def levels(url: str) -> np.ndarray:
    """RGB of a data URL."""
    return np.asarray(Image.open(io.BytesIO(b64decode(url.partition(",")[2]))).convert("RGB"), dtype=int)


def heat_maps(page: Page) -> list[str]:
    found: list[str] = page.eval_on_selector_all(".heats canvas", "all => all.map((canvas) => canvas.toDataURL())")
    return found


def test_a_run_starts_by_itself_and_each_words_attention_can_be_watched(tab: Page) -> None:
    heats, caption = tab.locator(".heats button"), tab.locator(".large figcaption")
    step, formula = tab.locator(".beside > .hint"), tab.locator(".painting .formula")
    prompt = tab.locator("#words-prompt textarea")
    expect(prompt).to_have_value(EXAMPLES["en"][0])
    expect(heats.locator("span")).to_have_text(EXAMPLES["en"][0].split())
    expect(step).to_have_text(re.compile(r"Step 20 of 20; painted in \d+\.\d\d s"))
    assert len(set(heat_maps(tab))) > 3

    plain = large(tab)
    heats.nth(1).click()
    expect(heats.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(caption).to_have_text("attention to “smiling”")
    until(tab, lambda: large(tab) != plain)
    at_last, maps = large(tab), heat_maps(tab)
    press(tab.locator(".happened summary"))
    told = formula.inner_text()
    slider = tab.locator(".painting .scrub input")
    slider.focus()
    tab.keyboard.press("Home")
    expect(step).to_contain_text("Step 1 of 20")
    expect(formula).not_to_have_text(told)
    until(tab, lambda: large(tab) != at_last and heat_maps(tab) != maps)
    shares = [float(text.removesuffix(" %")) for text in heats.locator("small").all_inner_texts()]
    assert 0 < sum(shares) < 100
    tab.locator(".strip button").last.click()
    expect(step).to_contain_text("Step 20 of 20")
    heats.nth(1).click()
    until(tab, lambda: large(tab) == plain)

    numbers = [float(n) for n in re.findall(r"= (\d+\.\d+)", formula.inner_text())]
    assert len(numbers) == 3
    assert all(number > 0 for number in numbers)
    tokens = tab.locator(".tokens span")
    expect(tokens.first).to_contain_text("<|startoftext|>")
    assert tokens.count() >= len(EXAMPLES["en"][0].split()) + 2
    expect(tab.locator(".happened .code")).to_contain_text("def guided(")


def test_nine_pictures_one_of_which_is_watched_taken_and_reopened(tab: Page, visitor: Visitor, tmp_path: Path) -> None:
    tab.locator("#words-prompt textarea").fill("a smilling woman, no 戴眼镜的, " + "sun " * 80)
    set_number(tab, "words-count", 9)
    set_number(tab, "words-guidance", 2.5)
    tab.locator("#words-seed input").fill("12")
    press(tab.get_by_role("button", name=words(tab)["more"]).locator("visible=true"))
    set_number(tab, "words-steps", 6)
    tab.locator("#words-negative textarea, #words-negative input").fill("a hat")
    choose(tab, "words-solver", "unipc")
    with painted(tab):
        press(tab.locator("#words-run"))
    thumbs, notes = tab.locator(".several button"), tab.locator(".beside .note")
    expect(thumbs).to_have_count(9)
    expect(notes.first).to_have_text(
        "It was never taught “smilling”; what it knows that looks most like it: smiling, smile."
    )
    expect(notes.nth(1)).to_contain_text("so “no” may not help")
    expect(notes.last).to_contain_text("Only 75 tokens fit. Not read: “sun")
    first = large(tab)
    thumbs.nth(4).click()
    expect(thumbs.nth(4)).to_have_attribute("aria-pressed", "true")
    until(tab, lambda: large(tab) != first)

    with tab.expect_download() as saved:
        tab.locator(".beside").get_by_role("button", name="Download").click()
    file = tmp_path / "picture.png"
    saved.value.save_as(file)
    recipe = read_recipe(file)
    assert (recipe.seed, recipe.index, recipe.request["guidance_scale"]) == (12, 4, 2.5)
    press(tab.get_by_role("button", name="Take it along").locator("visible=true"))
    expect(tab.locator(".traveller")).to_contain_text(words(tab)["traveller.made"])
    watched = large(tab)

    own = tmp_path / "own.png"
    digit_picture().save(own)
    other = visitor.open()
    chooser = other.locator(".traveller input[type=file]")
    chooser.set_input_files(own)
    expect(other.locator(".traveller .note")).to_have_text(words(other)["recipe.none"])
    with other.expect_navigation():
        chooser.set_input_files(file)
    other.locator(PAINTED).wait_for(timeout=RUN)
    cut_off = ("AbortError", "Connection errored out")  # what the page was still listening to when it was left
    visitor.faults[:] = [fault for fault in visitor.faults if not any(word in fault for word in cut_off)]
    expect(other.locator("#words-seed input")).to_have_value("16")
    expect(other.locator("#words-count input[type=number]")).to_have_value("1")
    press(other.get_by_role("button", name=words(other)["more"]).locator("visible=true"))
    expect(other.locator("#words-steps input[type=number]")).to_have_value("6")
    expect(other.locator("#words-solver input")).to_have_value("unipc")
    alike = levels(watched)  # alone and as one of nine
    until(other, lambda: levels(large(other)).shape == alike.shape and np.abs(levels(large(other)) - alike).max() <= 2)


def test_a_long_run_is_stopped_and_the_next_one_ends(tab: Page, tiny: Tiny) -> None:
    run, stop, painting = tab.locator("#words-run"), tab.locator("#words-stop"), tab.locator(".painting")
    set_number(tab, "words-count", 9)
    press(tab.get_by_role("button", name=words(tab)["more"]).locator("visible=true"))
    set_number(tab, "words-steps", 100)
    press(run)
    expect(painting).to_have_attribute("data-done", "false")
    stop.dispatch_event("click")  # at once; a real click waits until the button stands still
    expect(run).to_be_visible()
    tab.wait_for_timeout(SETTLED)
    calls = tiny.calls()
    tab.wait_for_timeout(2 * SETTLED)
    assert tiny.calls() == calls
    expect(painting).to_have_attribute("data-done", "false")
    assert not painting.locator("progress:visible").count()
    set_number(tab, "words-steps", 4)
    with painted(tab):
        press(run)
    expect(tab.locator(".beside > .hint")).to_contain_text("Step 4 of 4")


@pytest.mark.parametrize(("width", "language"), [(1280, "en-US"), (390, "zh-CN")])
def test_examples_and_comparisons_and_everything_has_its_place(tab: Page, language: str) -> None:
    code = language[:2]
    expect(tab.locator("#words-prompt textarea")).to_have_value(EXAMPLES[code][0])
    examples = tab.locator(".phrases button")
    assert examples.all_inner_texts()[: len(EXAMPLES[code])] == list(EXAMPLES[code])
    chosen = EXAMPLES[code][4]
    before = large(tab)
    with painted(tab):
        press(examples.nth(4))
    expect(tab.locator("#words-prompt textarea")).to_have_value(chosen)
    until(tab, lambda: large(tab) != before)

    press(tab.locator("#compare-run"))
    compared = tab.locator("#compared .abreast")
    expect(compared).to_have_attribute("data-done", "true", timeout=RUN)
    expect(compared.locator("figcaption")).to_have_text([chosen, EXAMPLES[code][3]])
    pictures = compared.locator("img").evaluate_all("all => all.map((image) => image.src)")
    press(tab.locator("#strip-run"))
    strip = tab.locator("#guidance-strip .abreast")
    expect(strip).to_have_attribute("data-done", "true", timeout=RUN)
    expect(strip.locator("figcaption")).to_have_text([f"w = {scale}" for scale in GUIDANCE_STRIP])
    pictures += strip.locator("img").evaluate_all("all => all.map((image) => image.src)")
    assert len(set(pictures)) >= len(pictures) - 1, "the first and guidance 4 are the same picture"

    press(tab.locator(".happened summary"))
    unfold_everything(tab)
    assert_in_place_in_both_themes(tab)
    tab.eval_on_selector_all(
        ".code pre, .phrases, .heats, .tokens", "all => all.forEach((element) => element.remove())"
    )
    text = tab.locator("body").inner_text()
    if code == "zh":
        named = tab.eval_on_selector_all(
            ":is(.painting, .abreast, .traveller) :is([aria-label], [title])",
            "all => all.map((element) => element.getAttribute('aria-label') ?? element.getAttribute('title'))",
        )
        assert set(re.findall("[A-Za-z][A-Za-z-]*", "\n".join([text, *named]))) <= OWN_NAMES
    else:
        assert set(re.findall("[\u4e00-\u9fff]+", text)) == {"中文"}
