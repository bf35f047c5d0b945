"""The style tab as people use it: one pass under sliders, mixtures, large; the slow way, Stop and keep, going on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.browsing import RUN, SETTLED, Visitor, assert_everything_in_place, open_tab, press, words
from e2e.tiny import Tiny
from e2e.visiting import App, faults
from playwright.sync_api import Locator, Page, expect

from imagegen.images import open_picture
from imagegen.recipes import read_recipe

pytestmark = pytest.mark.browser

SLIDE = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }"
REST = "(input) => input.dispatchEvent(new Event('change'))"


@pytest.fixture(scope="module")
def app(tiny: Tiny) -> App:
    return tiny.app


@pytest.fixture
def tab(page: Page) -> Page:
    """The page with this tab open and its first picture painted."""
    open_tab(page, "style.tab")
    whole(page)
    return page


def whole(page: Page) -> str:
    """What is painted in full, once it is there."""
    expect(page.locator(".painted")).to_have_attribute("data-whole", "true", timeout=RUN)
    return str(page.locator(".painted .compare > :nth-child(2)").get_attribute("src"))


def painting_again(page: Page) -> None:
    page.evaluate("document.querySelector('.painted').dataset.whole = 'before'")


def number(page: Page, name: str, value: int) -> None:
    field = page.locator(f"#{name} input[type=number]")
    field.fill(str(value))
    field.press("Tab")


def saved(page: Page, button: Locator) -> bytes:
    with page.expect_download() as download:
        press(button)
    return Path(download.value.path()).read_bytes()


def test_a_style_answers_while_sliding_and_in_full_once_it_rests(tab: Page) -> None:
    first = whole(tab)
    strength = tab.locator(".styles input[type=range]").last
    painting_again(tab)
    strength.evaluate(SLIDE, "0.3")
    expect(tab.locator(".painted")).to_have_attribute("data-whole", "false", timeout=RUN)
    strength.evaluate(REST)
    second = whole(tab)
    assert second != first
    painting_again(tab)
    press(tab.locator(".thumbs button").nth(2))
    expect(tab.locator(".styles input[type=range]")).to_have_count(3)  # two of the mixture, and the strength
    assert whole(tab) != second
    file = saved(tab, tab.locator(".painted .buttons button").nth(1))
    recipe = read_recipe(file)
    assert recipe.request["strength"] == 0.3
    assert len(recipe.request["style"]) == 2
    assert len(recipe.inputs) == 1
    press(tab.locator(".painted .buttons button").first)
    expect(tab.locator(".traveller")).to_contain_text(words(tab)["traveller.made"])


def test_examples_come_in_by_one_click_and_a_style_of_ones_own_too(tab: Page) -> None:
    before = whole(tab)
    painting_again(tab)
    press(tab.locator("#style-examples button").nth(5))
    assert whole(tab) != before
    painting_again(tab)
    press(tab.locator(".thumbs button").nth(0))  # the style that is chosen above joins in
    mixed = whole(tab)
    painting_again(tab)
    press(tab.locator("#painting-examples button").nth(1))
    assert whole(tab) != mixed


def test_a_large_picture_is_painted_by_tiles(tab: Page) -> None:
    number(tab, "large-size", 704)
    painting_again(tab)
    press(tab.locator("#large-run"))
    whole(tab)
    link = tab.locator("#large-file a").first
    expect(link).to_be_visible(timeout=RUN)
    file = tab.request.get(str(link.get_attribute("href"))).body()
    assert max(open_picture(file).size) == 704
    assert read_recipe(file).request["size"] == 704


def test_the_slow_way_is_watched_stopped_kept_and_gone_on_with(tab: Page) -> None:
    number(tab, "style-iterations", 500)
    press(tab.locator("#style-run"))
    tab.locator(".gatys[data-drawn]").wait_for(timeout=RUN)
    tab.wait_for_function("Number(document.querySelector('.gatys').dataset.drawn) > 3", timeout=RUN)
    press(tab.locator("#style-stop"))
    expect(tab.locator(".gatys")).to_have_attribute("data-done", "true", timeout=RUN)
    expect(tab.locator("#style-run")).to_be_visible()
    reached = int(str(tab.locator(".gatys").get_attribute("data-drawn")))
    recipe = read_recipe(saved(tab, tab.locator(".gatys .buttons button").last))
    assert recipe.request["iterations"] >= reached
    assert recipe.request["iterations"] < 500
    assert len(recipe.inputs) == 2
    tab.get_by_text(words(tab)["story.title"], exact=True).locator("visible=true").first.click()
    expect(tab.locator(".matrices img")).to_have_count(15, timeout=RUN)
    numbers = tab.locator(".formula").locator("visible=true").inner_text()
    slider = tab.locator(".gatys .scrub input")
    slider.evaluate(SLIDE, "1")
    expect(tab.locator(".gatys .row .hint")).to_contain_text(words(tab)["gatys.now"].split("{n}")[0])
    expect(tab.locator(".gatys .chart .cursor")).to_have_count(2)
    number(tab, "style-iterations", 3)
    press(tab.locator(".gatys .onward"))
    expect(tab.locator(".gatys")).to_have_attribute("data-drawn", "3", timeout=RUN)
    expect(tab.locator(".gatys")).to_have_attribute("data-done", "true", timeout=RUN)
    assert len(read_recipe(saved(tab, tab.locator(".gatys .buttons button").last)).inputs) == 3
    expect(tab.locator(".formula").locator("visible=true")).not_to_have_text(numbers)


def test_the_slow_way_can_begin_with_the_fast_result(tab: Page) -> None:
    number(tab, "style-iterations", 1)
    press(tab.locator("#style-start").get_by_text(words(tab)["style.start.fast"]))
    press(tab.locator("#style-run"))
    expect(tab.locator(".gatys")).to_have_attribute("data-done", "true", timeout=RUN)
    recipe = read_recipe(saved(tab, tab.locator(".gatys .buttons button").last))
    assert (recipe.request["start"], len(recipe.inputs)) == ("picture", 3)


def test_what_each_layer_sees_grows_and_can_be_stopped(tab: Page) -> None:
    press(tab.locator("#layers-run"))
    expect(tab.locator(".layers img")).to_have_count(10, timeout=RUN)
    press(tab.locator("#layers-stop"))
    expect(tab.locator("#layers-run")).to_be_visible()


@pytest.fixture
def width(request: pytest.FixtureRequest) -> int:
    return int(getattr(request, "param", (1280, ""))[0])


@pytest.fixture
def language(request: pytest.FixtureRequest) -> str:
    return "en-US"


@pytest.mark.parametrize("width", [(390, "")], indirect=True)
def test_everything_is_in_place_on_a_phone_in_both_languages(visitor: Visitor) -> None:
    page = visitor.open()
    open_tab(page, "style.tab")
    page.locator(".styles").scroll_into_view_if_needed()  # it asks for the first painting when it is seen
    whole(page)
    assert_everything_in_place(page)
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_text("慢方法")).to_be_visible()
    page.wait_for_timeout(SETTLED)
    assert_everything_in_place(page)


@pytest.fixture(scope="module", autouse=True)
def _nothing_went_wrong(tiny: Tiny) -> Iterator[None]:
    yield
    assert not faults(tiny.app.log.read_text())
