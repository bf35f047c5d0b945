"""The strip under the header as people use it: a start for newcomers, the visit's pictures, and the trip as a link."""

import re
from contextlib import suppress

import pytest
from e2e.browsing import RUN, Visitor, assert_everything_in_place, drag, open_tab, press, words
from e2e.tiny import Tiny
from e2e.visiting import App, encoded, photo
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(tiny: Tiny) -> App:
    return tiny.app


def draw_a_line(page: Page) -> None:
    pad = page.locator("#pad canvas")
    pad.evaluate("element => element.scrollIntoView({ block: 'center' })")
    brought = page.locator(".traveller").get_by_text(words(page)["traveller.brought"])
    drag(page, pad, (0.5, 0.2), (0.5, 0.8))
    with suppress(AssertionError):  # on a busy machine the first stroke may come before the page listens to the pad
        expect(brought).to_be_visible()
        return
    drag(page, pad, (0.5, 0.2), (0.5, 0.8))
    expect(brought).to_be_visible()


def trip_link(page: Page) -> str:
    """What the button copies."""
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    page.locator(".album summary").click()
    press(page.locator("#trip-share"))
    return str(page.evaluate("window.copied"))


def test_a_trip_is_replayed_by_its_link(page: Page, visitor: Visitor) -> None:
    draw_a_line(page)
    open_tab(page, "sr.tab")
    take = page.locator("#enlarge").get_by_role("button", name=words(page)["take"])
    expect(take).to_be_enabled(timeout=RUN)
    press(take)
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.made"], timeout=RUN)
    expect(page.locator(".album summary img")).to_have_count(2)
    link = trip_link(page)
    press(page.locator("#share"))  # the recipe alone would only name the drawing
    assert page.evaluate("window.copied") == link
    query = link.partition("?")[2]

    other = visitor.open(f"?{query}")
    expect(other.locator(".journey")).to_have_attribute("data-stops", "2", timeout=RUN)
    expect(other.locator(".journey")).to_contain_text(words(other)["journey.done"])
    expect(other.locator(".traveller")).to_contain_text(words(other)["traveller.made"])
    expect(other.locator(".journey figure img")).to_have_count(2)
    assert_everything_in_place(other)


def test_a_damaged_trip_is_refused_and_the_page_works(visitor: Visitor) -> None:
    page = visitor.open("?trip=AAAA")
    expect(page.get_by_text(re.compile("trip is damaged|旅程已损坏"))).to_be_visible()
    expect(page.locator("#journey-row")).to_be_hidden()
    draw_a_line(page)


def test_pictures_of_the_visit_travel_again_and_outlive_a_reload(page: Page, visitor: Visitor) -> None:
    draw_a_line(page)
    press(page.locator(".cell").nth(3))
    expect(page.locator(".album summary img")).to_have_count(2)
    page.locator(".album summary").click()
    figures = page.locator(".album figure")
    expect(figures.first).to_contain_text(words(page)["made.gan"])
    expect(figures.last).to_contain_text(words(page)["made.brought"])
    with page.expect_download() as download:
        press(figures.first.get_by_role("button", name=words(page)["download"]))
    assert download.value.path().read_bytes().count(b"imagegen:recipe=") == 1
    press(figures.last.locator(".take"))
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.brought"])
    expect(figures).to_have_count(2)
    visitor.reload(page)
    expect(page.locator(".album figure img")).to_have_count(2)
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.brought"])


def test_a_picture_made_of_another_has_a_link_once_it_was_taken_along(page: Page, visitor: Visitor) -> None:
    page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
    open_tab(page, "style.tab")
    expect(page.locator(".painted")).to_have_attribute("data-whole", "true", timeout=RUN)
    painted = page.locator(".painted .compare > :nth-child(2)")
    before, drawn = painted.get_attribute("src"), page.locator(".painted").get_attribute("data-drawn")
    press(page.locator("#share"))
    expect(page.locator("#share")).to_have_text(words(page)["share.first"])
    assert not page.evaluate("window.copied")
    press(page.locator(".painted").get_by_role("button", name=words(page)["take"]))
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.made"])
    expect(page.locator("#share")).to_have_text(words(page)["share"])
    press(page.locator("#share"))
    expect(page.locator("#share")).to_have_text(words(page)["copied"])
    assert painted.get_attribute("src") == before, "the painting is not painted again"
    assert page.locator(".painted").get_attribute("data-drawn") == drawn
    other = visitor.open("?" + str(page.evaluate("window.copied")).partition("?")[2])
    expect(other.locator(".journey")).to_contain_text(words(other)["journey.done"], timeout=RUN)


def test_a_photo_is_never_in_a_link(page: Page) -> None:
    open_tab(page, "sr.tab")
    page.locator("#sr-photo input[type=file]").set_input_files(
        {"name": "own.png", "mimeType": "image/png", "buffer": encoded(photo(200, 150))}
    )
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.brought"])
    page.locator(".album summary").click()
    expect(page.locator(".album .share")).to_contain_text(words(page)["album.trip.none"])
    expect(page.locator("#trip-share")).to_have_count(0)
    take = page.locator("#enlarge").get_by_role("button", name=words(page)["take"])
    expect(take).to_be_enabled(timeout=RUN)
    press(take)
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.made"], timeout=RUN)
    press(page.locator("#share"))
    expect(page.locator("#share")).to_have_text(words(page)["share.none"])


def test_a_refused_recipe_is_forgotten_with_the_next_picture(page: Page) -> None:
    page.locator(".traveller input[type=file]").set_input_files(
        {"name": "own.png", "mimeType": "image/png", "buffer": encoded(photo(40, 40))}
    )
    expect(page.locator(".traveller .note")).to_have_text(words(page)["recipe.none"])
    press(page.locator(".cell").nth(3))
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.made"])
    expect(page.locator(".traveller .note")).to_have_count(0)


def test_the_start_makes_a_photo_of_it_where_a_digit_would_not_do(page: Page) -> None:
    press(page.locator(".cell").nth(3))
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.made"])
    press(page.locator(".start [data-way=style]"))
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.brought"], timeout=RUN)


def test_a_picture_that_came_first_is_on_every_tab_that_is_opened_later(page: Page) -> None:
    press(page.locator(".cell").nth(3))
    expect(page.locator(".traveller")).to_contain_text(words(page)["traveller.made"])
    expect(page.locator(".verdict .bar")).not_to_have_count(0)
    for tab, place in (
        ("vae.tab", ".encoding img, .encoding canvas"),
        ("diff.tab", ".forward[data-drawn]:not([data-drawn=''])"),
        ("edit.tab", ".brush[data-drawn=true] canvas"),
        ("style.tab", ".painted[data-whole=true] img"),
        ("sr.tab", "#enlarge img, #enlarge canvas"),
    ):
        open_tab(page, tab)
        expect(page.locator(place).first).to_be_visible(timeout=RUN)


@pytest.mark.parametrize("width", [1280, 390])
def test_a_newcomer_is_led_to_every_tab(page: Page, visitor: Visitor) -> None:
    for way in ("sr", "style", "gan"):
        press(page.locator(f".start [data-way={way}]"))
        place = {"sr": "#enlarge", "style": "#styles", "gan": "#pad"}[way]
        expect(page.locator(place)).to_be_in_viewport(timeout=RUN)
    assert_everything_in_place(page)
    press(page.locator(".start .close"))
    expect(page.locator(".start")).to_be_empty()
    visitor.reload(page)
    expect(page.locator(".start")).to_be_empty()
