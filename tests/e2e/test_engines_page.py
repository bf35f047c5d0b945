"""Engines brought at start, on the page and through the API: a tiny Stable Diffusion and an Images API on loopback."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from e2e.browsing import RUN, choose, open_tab, press, set_number, words
from e2e.endpoints import ask, made
from e2e.visiting import App, assert_refused, faults, running
from images_api import KEY, images_api
from made_up_pipelines import add_sd
from playwright.sync_api import Page, expect

from imagegen.recipes import read_recipe

NAME = "text_to_image"
OPENAI = "openai/gpt-image-2"
PAINTED = '.painting[data-done="true"]'


@pytest.fixture(scope="module")
def app(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("engines")
    engines = ["--text-to-image", str(add_sd(folder / "tiny sd")), "--text-to-image", OPENAI.replace("/", ":")]
    with images_api() as service:
        env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.url, "NO_PROXY": "127.0.0.1"}
        with running(folder / "log.txt", checkpoints, env, ("app.py", *engines)) as app:
            yield app
            log = app.log.read_text()
    assert not faults(log)
    assert KEY not in log


@pytest.fixture(scope="module")
def http(app: App) -> Iterator[httpx.Client]:
    with app.http() as client:
        yield client


@pytest.mark.browser
def test_a_pipeline_is_watched_and_a_service_asked_on_the_page(page: Page) -> None:
    open_tab(page, "words.tab")
    page.locator(PAINTED).wait_for(timeout=RUN)
    painting, more = page.locator(".painting"), page.get_by_role("button", name=words(page)["more"])
    choose(page, "words-engine", "tiny-sd")
    expect(page.locator("#words-size input")).to_have_value("64x64", timeout=RUN)
    press(more.locator("visible=true"))
    set_number(page, "words-steps", 5)
    painting.evaluate("root => { root.dataset.done = 'before'; }")
    press(page.locator("#words-run"))
    page.locator(PAINTED).wait_for(timeout=RUN)
    expect(painting.locator(".beside > .hint")).to_contain_text("Step 5 of 5")
    heats = painting.locator(".heats button")
    expect(heats.locator("span")).to_have_text(page.locator("#words-prompt textarea").input_value().split())
    expect(painting.locator(".formula")).to_have_count(0)
    plain = painting.locator(".large canvas").evaluate("canvas => canvas.toDataURL()")
    heats.nth(1).click()
    assert painting.locator(".large canvas").evaluate("canvas => canvas.toDataURL()") != plain

    choose(page, "words-engine", OPENAI)
    expect(page.locator("#words-seed")).to_be_hidden(timeout=RUN)
    expect(page.locator("#words-guidance")).to_be_hidden()
    expect(page.locator("#strip-run")).to_be_hidden()
    painting.evaluate("root => { root.dataset.done = 'before'; }")
    press(page.locator("#words-run"))
    page.locator(PAINTED).wait_for(timeout=RUN)
    expect(painting.locator(".scrub, .heats")).to_have_count(0)
    assert painting.locator(".large canvas").evaluate("canvas => canvas.width / canvas.height") == pytest.approx(
        1.5, 0.01
    )

    page.locator("#words-prompt textarea").fill("something forbidden")
    press(page.locator("#words-run"))
    expect(page.locator(".toast-body")).to_contain_text(f"{OPENAI} refused to paint this", timeout=RUN)


def test_the_endpoint_takes_an_engine_and_each_recipe_names_it(http: httpx.Client, tmp_path: Path) -> None:
    first, again = (made(http, ask(http, NAME, engine="tiny-sd", steps=2, count=2)) for _ in range(2))
    assert first == again
    file = tmp_path / "picture.png"
    file.write_bytes(first)
    recipe = read_recipe(file)
    assert (recipe.checkpoint, recipe.request["engine"]) == ("tiny-sd", "tiny-sd")
    file.write_bytes(made(http, ask(http, NAME, engine=OPENAI, count=2)))
    assert read_recipe(file).checkpoint == OPENAI


def test_what_an_engine_cannot_do_is_refused(http: httpx.Client) -> None:
    assert_refused(ask(http, NAME, engine="sd-maxi"), f"engine must be one of sd-mini, tiny-sd, {OPENAI}.")
    assert_refused(ask(http, NAME, engine="tiny-sd", size="640x480"), "size must be one of auto, 64x64, 48x48, 32x32.")
    assert_refused(ask(http, NAME, size="64x64"), "size must be one of auto.")
    assert_refused(ask(http, NAME, engine="tiny-sd", count=17), "count must be a whole number from 1 to 16.")
    assert_refused(ask(http, NAME, engine=OPENAI, count=5), "count must be a whole number from 1 to 4.")
    assert_refused(ask(http, NAME, engine=OPENAI, prompt="forbidden"), "refused to paint this")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "file:///etc/passwd", "http://169.254.169.254/", "data:,x", "/tmp", "owner/model"]
)
def test_rows_17_and_18_no_engine_is_named_by_a_visitor(name: str, http: httpx.Client) -> None:
    assert_refused(ask(http, NAME, engine=name), "engine must be one of")
