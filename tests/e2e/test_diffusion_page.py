"""The diffusion tab as people use it, in a real browser: a run to look into, noise, races, links, both languages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from e2e.browsing import (
    DENOISED,
    RUN,
    SETTLED,
    Visitor,
    assert_in_place_in_both_themes,
    choose,
    denoised,
    drag,
    open_tab,
    panels,
    press,
    set_number,
    unfold_everything,
    until,
    words,
)
from e2e.visiting import slowed
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

OWN_NAMES = {"GAN", "VAE", "MNIST", "PNG", "WebP", "CPU", "CUDA", "API", "FID", "English", "Tab"} | {
    "ddim", "ddpm", "dpm", "euler", "unipc", "eta", "x", "t", "N", "log", "dB", "psnr", "q", "sample",
}  # fmt: skip


@pytest.fixture
def tab(page: Page) -> Page:
    """The page with this tab open and its first run done, which needs no click."""
    open_tab(page, "diff.tab")
    page.locator(DENOISED).wait_for(timeout=RUN)
    return page


@contextmanager
def repainted(page: Page) -> Iterator[None]:
    """What is done inside changes what the panels show."""
    before = panels(page)
    yield
    changed = "before => document.querySelector('.denoise .panels canvas').toDataURL() !== before"
    page.wait_for_function(changed, arg=before[0])


def timestep(page: Page) -> int:
    return int(page.locator(".denoise .formula span").first.inner_text().removeprefix("t = "))


def cursors(page: Page) -> list[float]:
    """How far to the right the cursors of the charts are."""
    found: list[str] = page.eval_on_selector_all(
        ".denoise .charts .cursor", "all => all.map((line) => line.getAttribute('x1'))"
    )
    return [float(x) for x in found]


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]


def sources(images: Locator) -> list[str]:
    found: list[str] = images.evaluate_all("all => all.map((image) => image.src)")
    return found


def test_a_run_starts_by_itself_and_every_step_can_be_looked_at(tab: Page) -> None:
    caption, formula = tab.locator(".denoise .row .hint"), tab.locator(".denoise .formula b")
    scrubber, strip = tab.locator(".denoise .scrub input"), tab.locator(".denoise .strip button")
    others = tab.locator(".others")
    expect(caption).to_have_text(re.compile(r"Step 20 of 20; \d+ network calls, \d+\.\d\d s"))
    assert timestep(tab) == 49
    assert len(set(panels(tab))) == 3
    expect(others.locator("figure")).to_have_count(10)
    expect(others.locator(".asked figcaption")).to_have_text(["7"])
    expect(others).to_contain_text("t = 699")
    assert len(set(sources(others.locator("img")))) == 10

    strip.last.focus()  # by keyboard, from the strip to the slider
    tab.keyboard.press("Tab")
    expect(scrubber).to_be_focused()
    last, at_last, seen = formula.inner_text(), cursors(tab), sources(others.locator("img"))
    with repainted(tab):
        tab.keyboard.press("Home")
    expect(caption).to_contain_text("Step 1 of 20")
    expect(formula).not_to_have_text(last)
    assert timestep(tab) == 999
    assert all(first > later for first, later in zip(cursors(tab), at_last, strict=True))
    expect(others).to_contain_text("t = 999")
    assert sources(others.locator("img")) != seen

    expect(strip).to_have_count(12)
    with repainted(tab):
        strip.nth(6).focus()
        tab.keyboard.press("Enter")
    step = strip.nth(6).get_attribute("title")
    assert step
    expect(caption).to_contain_text(f"{step} of 20")
    expect(scrubber).to_have_value(step.removeprefix("Step "))
    expect(others).to_contain_text(f"t = {timestep(tab)}")
    assert timestep(tab) == 1000 - 50 * (int(step.removeprefix("Step ")) - 1) - 1

    with denoised(tab), repainted(tab):
        tab.locator("#diff-digit").get_by_text("3", exact=True).click()
        press(tab.locator("#diff-run"))
    expect(others.locator(".asked figcaption")).to_have_text(["3"])


def test_a_long_run_is_stopped_and_the_next_one_ends(tab: Page, visitor: Visitor) -> None:
    run, stop, denoise = tab.locator("#diff-run"), tab.locator("#diff-stop"), tab.locator(".denoise")
    set_number(tab, "steps", 100)
    choose(tab, "solver", "ddpm")
    expect(tab.locator("#diff-more")).to_be_hidden()
    with slowed(visitor.app):  # else a hundred steps may be over before the page has drawn the button
        press(run)
        expect(denoise).to_have_attribute("data-done", "false")
        stop.dispatch_event("click")  # at once; a real click waits until the button stands still
        expect(run).to_be_visible()
    expect(stop).to_be_hidden()
    tab.wait_for_timeout(2 * SETTLED)
    stopped_at = denoise.get_attribute("data-drawn")
    assert int(stopped_at or 100) < 100
    tab.wait_for_timeout(2 * SETTLED)
    expect(denoise).to_have_attribute("data-drawn", stopped_at or "")
    expect(denoise).to_have_attribute("data-done", "false")

    set_number(tab, "steps", 5)
    with denoised(tab):
        press(run)
    expect(tab.locator(".denoise .row .hint")).to_contain_text("Step 5 of 5")
    expect(tab.locator(".denoise .strip button")).to_have_count(5)
    expect(run).to_be_visible()


@pytest.mark.parametrize(("width", "language"), [(1280, "en-US"), (390, "zh-CN")])
def test_a_drawing_is_drowned_brought_back_and_everything_has_its_place(tab: Page, language: str) -> None:
    forward, trip, race = tab.locator(".forward"), tab.locator(".trip"), tab.locator(".race")
    expect(forward).to_have_attribute("data-drawn", "300")  # what was made
    made = sources(forward.locator(".panel img"))
    assert len(set(made)) == 3
    press(tab.get_by_role("button", name=words(tab)["bring"]))
    pad = tab.locator("#diff-pad canvas")
    pad.evaluate("element => element.scrollIntoView({ block: 'center' })")
    drag(tab, pad, (0.5, 0.2), (0.5, 0.8))
    expect(tab.locator(".traveller")).to_contain_text(words(tab)["traveller.brought"])
    expect(forward.locator(".panel img").first).not_to_have_attribute("src", made[0])
    formulas = forward.locator(".panel .formula").all_inner_texts()
    assert len(set(formulas)) == 3

    level = tab.locator("#level input[type=range]")
    level.press("End")
    expect(forward).to_have_attribute("data-drawn", "999")
    assert forward.locator(".panel .formula").all_inner_texts() != formulas

    press(tab.locator("#trip-run"))
    expect(trip).to_have_attribute("data-drawn", "8", timeout=RUN)
    levels = trip.locator("figure:not(.own) figcaption").all_inner_texts()
    drowned, decibels = zip(*(numbers(text)[:2] for text in levels), strict=True)
    assert len(set(drowned)) == 8
    assert list(drowned) == sorted(drowned)
    assert decibels[0] > decibels[-1] + 3
    assert len(numbers(levels[0])) == 3  # the last says what it reads as

    press(tab.locator("#race-run"))
    expect(race).to_have_attribute("data-drawn", "true", timeout=RUN)
    lanes = race.locator(".lanes figcaption")
    expect(lanes).to_have_count(3)
    for lane, (solver, steps) in zip(lanes.all(), [("ddim", 10), ("unipc", 10), ("ddim", 50)], strict=True):
        expect(lane.locator("b")).to_have_text(f"{solver}, {steps}")
        done, total, calls, seconds = numbers(lane.locator(".hint").inner_text())
        assert (done, total) == (steps, steps)
        assert calls >= steps
        assert seconds > 0
    assert len(set(sources(race.locator(".lanes img")))) == 3

    unfold_everything(tab)
    assert_in_place_in_both_themes(tab)
    tab.eval_on_selector_all(".code pre, .formula", "all => all.forEach((element) => element.remove())")
    text = tab.locator("body").inner_text()
    if language == "zh-CN":
        named = tab.eval_on_selector_all(
            ":is(.denoise, .others, .forward, .trip, .race, .lapse, .pad) :is([aria-label], [title])",
            "all => all.map((element) => element.getAttribute('aria-label') ?? element.getAttribute('title'))",
        )
        said = re.sub(r"\de[-+]\d", "", "\n".join([text, *named]))  # 1.5e-8
        assert set(re.findall("[A-Za-z]+", said)) <= OWN_NAMES
    else:
        assert set(re.findall("[\u4e00-\u9fff]+", text)) == {"中文"}


def test_the_picture_travels_and_a_link_brings_it_back(tab: Page, visitor: Visitor) -> None:
    press(tab.get_by_role("button", name=words(tab)["diff.lapse.title"]))
    lapse = tab.locator("#diff-lapse .lapse")
    lapse.scroll_into_view_if_needed()  # nothing is read before it is seen
    expect(lapse).to_have_attribute("data-drawn", re.compile(r"ddpm-mnist [1-9]\d*$"))
    trained = sources(lapse.locator("img"))
    slider = lapse.locator("input[type=range]")
    slider.press("Home")
    expect(lapse).to_have_attribute("data-drawn", "ddpm-mnist 0")
    assert sources(lapse.locator("img")) != trained
    slider.press("End")
    expect(lapse.locator("img")).to_have_attribute("src", trained[0])

    tab.locator("#diff-digit").get_by_text("4", exact=True).click()
    set_number(tab, "steps", 8)
    set_number(tab, "guidance", 2.5)
    press(tab.locator("#diff-more > button"))
    set_number(tab, "eta", 0.5)
    tab.locator("#diff-seed input").fill("12")
    with denoised(tab):
        press(tab.locator("#diff-run"))
    press(tab.get_by_role("button", name="Take it along"))
    expect(tab.locator(".traveller")).to_contain_text(words(tab)["traveller.made"])
    tab.locator("#language-zh").click()
    expect(tab.locator("h1")).to_have_text("从零开始的图像生成")
    tab.locator("#share").click()
    expect(tab.locator("#share")).to_have_text(words(tab)["copied"])
    link = tab.evaluate("navigator.clipboard.readText()")
    tab.locator("#language-en").click()
    expect(tab.locator("h1")).to_have_text("ImageGen from Zero")

    open_tab(tab, "gan.tab")
    expect(tab.locator(".verdict")).to_contain_text("Classifier: 4")

    other = visitor.open(link.removeprefix(f"{visitor.app.url}/"), first=DENOISED)
    expect(other.locator("#diff-digit input:checked")).to_have_value("4")
    press(other.locator("#diff-more > button"))
    for name, value in {"steps": "8", "guidance": "2.5", "eta": "0.5"}.items():
        expect(other.locator(f"#{name} input[type=number]").first).to_have_value(value)
    expect(other.locator("#solver input")).to_have_value("ddim")
    expect(other.locator("#diff-seed input")).to_have_value("12")
    open_tab(tab, "diff.tab")
    until(other, lambda: panels(other) == panels(tab))
