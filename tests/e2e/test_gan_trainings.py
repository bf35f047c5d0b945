"""Below the GAN tab's sampler: generators from one seed, time-lapses, trainings that went wrong, faces."""

import re

import pytest
from e2e.browsing import open_tab, press, words
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser


def unfold(page: Page, key: str) -> None:
    press(page.get_by_role("button", name=words(page)[key]))


def source(image: Locator) -> str:
    return str(image.get_attribute("src"))


def at(run: str, step: str) -> re.Pattern[str]:
    return re.compile(f"^{run} {step}$")


def test_nothing_is_asked_for_before_it_is_seen(page: Page) -> None:
    expect(page.locator(".sheet")).to_have_attribute("data-drawn", re.compile(r"\d"))
    assert page.locator("#trio .trio").get_attribute("data-drawn") is None


def test_three_generators_follow_one_seed_and_one_minute(page: Page) -> None:
    trio = page.locator("#trio .trio")
    trio.scroll_into_view_if_needed()
    expect(trio).to_have_attribute("data-drawn", "1")
    sheets, then = trio.locator(".row-of").first.locator("img"), trio.locator(".then img")
    expect(sheets).to_have_count(3)
    expect(then).to_have_count(3)
    assert trio.locator("table tr").count() >= 5
    expect(trio.locator("table")).to_contain_text("min, CPU")
    before, late = [source(image) for image in sheets.all()], [source(image) for image in then.all()]
    assert len(set(before)) == 3

    slider = trio.locator("input[type=range]")
    slider.press("Home")
    expect(trio).to_have_attribute("data-minute", "0")
    assert [source(image) for image in sheets.all()] == before
    early = [source(image) for image in then.all()]
    assert not set(early) & set(late)
    assert slider.evaluate("element => element === document.activeElement")

    page.locator("#trio-seed input").fill("7")
    page.locator("#trio-seed input").press("Tab")
    expect(trio).to_have_attribute("data-drawn", "2")
    assert not {source(image) for image in sheets.all()} & set(before)


def test_a_training_is_played_and_another_one_chosen(page: Page) -> None:
    unfold(page, "gan.lapse.title")
    lapse = page.locator("#gan-lapse .lapse")
    lapse.scroll_into_view_if_needed()  # nothing is read before it is seen
    expect(lapse).to_have_attribute("data-drawn", at("gan-mnist", "6300"))
    expect(lapse.locator(".chart .cursor")).to_have_count(3)
    slider, image = lapse.locator("input[type=range]"), lapse.locator("figure > img")
    last, cursor = source(image), lapse.locator(".cursor").first.get_attribute("x1")
    slider.press("ArrowLeft")
    expect(lapse).to_have_attribute("data-drawn", at("gan-mnist", "5873"))
    assert source(image) != last
    assert lapse.locator(".cursor").first.get_attribute("x1") != cursor
    slider.press("Home")
    expect(lapse).to_have_attribute("data-drawn", at("gan-mnist", "0"))
    play = lapse.get_by_role("button")
    play.click()
    expect(play).to_have_text(words(page)["lapse.pause"])
    expect(lapse).not_to_have_attribute("data-drawn", at("gan-mnist", "0"))
    play.click()
    expect(play).to_have_text(words(page)["lapse.play"])

    page.locator("#gan-training").get_by_text("MLP", exact=True).click()
    expect(lapse).to_have_attribute("data-drawn", at("gan-mnist-mlp", "110000"))
    expect(lapse.locator(".chart")).to_have_count(4)


def test_what_went_wrong_can_be_watched(page: Page) -> None:
    unfold(page, "gan.broken.title")
    lapse = page.locator("#broken-lapse .lapse")
    for run in ("overpowered", "collapsed", "cured"):
        page.locator("#broken-training").get_by_text(words(page)[f"run.gan-mnist-{run}"], exact=True).click()
        expect(lapse).to_have_attribute("data-drawn", at(f"gan-mnist-{run}", r"[1-9]\d*"))


def test_the_autoencoders_show_how_they_learned(page: Page) -> None:
    open_tab(page, "vae.tab")
    unfold(page, "vae.lapse.title")
    lapse = page.locator("#vae-lapse .lapse")
    lapse.scroll_into_view_if_needed()  # nothing is read before it is seen
    expect(lapse).to_have_attribute("data-drawn", at("vae-mnist", "32000"))
    lapse.locator("input[type=range]").press("Home")
    expect(lapse).to_have_attribute("data-drawn", at("vae-mnist", "0"))


def test_faces_are_drawn_from_dice(page: Page) -> None:
    press(page.locator("#gan-faces > button"))
    faces = page.locator("#faces .trio")
    faces.scroll_into_view_if_needed()  # nothing is drawn before it is seen
    expect(faces).to_have_attribute("data-drawn", "1")
    image = faces.locator("img")
    expect(image).to_have_count(1)
    assert image.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [8 * 64, 3 * 64]
    before = source(image)
    page.locator("#faces-dice").click()
    expect(faces).to_have_attribute("data-drawn", "2")
    assert source(image) != before
