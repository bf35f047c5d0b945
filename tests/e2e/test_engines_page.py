"""Engines brought at start, on the page and through the API: a tiny Stable Diffusion and an Images API on loopback."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from e2e.browsing import RUN, assert_everything_in_place, choose, drag, open_tab, press, set_number, until, words
from e2e.endpoints import ask, made
from e2e.visiting import App, assert_refused, faults, photo, running
from images_api import KEY, images_api
from made_up_pipelines import add_sd
from PIL import Image
from playwright.sync_api import Page, expect

from imagegen.images import open_picture
from imagegen.recipes import read_recipe

NAME = "text_to_image"
OPENAI = "openai/gpt-image-2"
EDITED = '.edited[data-done="true"]'
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
    expect(page.locator("#words-prompt")).to_contain_text(words(page)["words.prompt.info"])
    choose(page, "words-engine", "tiny-sd")
    expect(page.locator("#words-size input")).to_have_value("64x64", timeout=RUN)
    expect(page.locator("#words-prompt")).to_contain_text(words(page)["words.prompt.info.other"])
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
    until(page, lambda: painting.locator(".large canvas").evaluate("canvas => canvas.toDataURL()") != plain)

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


@pytest.mark.browser
@pytest.mark.parametrize(("width", "language"), [(1280, "en-US"), (390, "zh-CN")])
def test_a_picture_is_edited_by_another_engine_at_its_own_size(page: Page, language: str, tmp_path: Path) -> None:
    photo(300, 200).save(tmp_path / "photo.png")
    open_tab(page, "edit.tab")
    page.locator(EDITED).wait_for(timeout=RUN)
    said = words(page)
    page.locator("#edit-engine input").click()
    expect(page.get_by_role("option")).to_have_text([re.compile("sd-mini"), re.compile("tiny-sd")])
    page.get_by_role("option", name="tiny-sd", exact=True).click()
    expect(page.locator("#face-run")).to_be_hidden(timeout=RUN)
    expect(page.locator("#edit-phrases")).to_be_hidden()
    eyes = page.locator(".brush").get_by_role("button", name=said["brush.region.eyes"])
    expect(eyes).to_have_count(0)
    press(page.get_by_role("button", name=said["edit.bring"]).locator("visible=true"))
    page.locator("#edit-photo input[type=file]").set_input_files(tmp_path / "photo.png")
    canvas = page.locator(".brush canvas")
    expect(canvas).to_have_attribute("style", re.compile("256 / 171"), timeout=RUN)
    drag(page, canvas, (0.25, 0.5), (0.75, 0.5))
    page.locator(".edited").evaluate("root => { root.dataset.done = 'before'; }")
    press(page.locator("#edit-run"))
    page.locator(EDITED).wait_for(timeout=RUN)
    expect(page.locator(".edited .strip button")).to_have_count(12, timeout=RUN)
    expect(page.locator(".edited .panels figure")).to_have_count(1)
    assert_everything_in_place(page)
    with page.expect_download() as saved:
        page.locator(".result").get_by_role("button", name=said["download"]).click()
    saved.value.save_as(tmp_path / "picture.png")
    after, before = (np.asarray(Image.open(tmp_path / name).convert("RGB")) for name in ("picture.png", "photo.png"))
    changed = (after != before).any(axis=2)
    assert changed[95:105, 80:220].mean() > 0.8
    assert not changed[:65].any()
    assert not changed[135:].any()
    recipe = read_recipe(tmp_path / "picture.png")
    assert (recipe.task, recipe.checkpoint, recipe.request["engine"]) == ("inpaint", "tiny-sd", "tiny-sd")

    choose(page, "edit-engine", "sd-mini")
    expect(eyes).to_have_count(1, timeout=RUN)
    expect(page.locator("#face-run")).to_be_visible()


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


def test_both_endpoints_edit_by_an_engine_that_can(http: httpx.Client, tmp_path: Path) -> None:
    picture, mask = photo(90, 60), Image.new("L", (90, 60))
    mask.paste(255, (70, 10, 90, 30))
    given = {"picture": picture, "steps": 4, "engine": "tiny-sd", "seed": 3}
    file = tmp_path / "picture.png"
    file.write_bytes(made(http, ask(http, "inpaint", **given, mask=mask)))
    after, before, inside = np.asarray(open_picture(file)), np.asarray(picture), np.asarray(mask) > 0
    assert (after == before)[~inside].all()
    assert (after != before)[inside].mean() > 0.8
    recipe = read_recipe(file)
    assert (recipe.task, recipe.checkpoint, recipe.request["engine"]) == ("inpaint", "tiny-sd", "tiny-sd")
    answers = [made(http, ask(http, "edit_image", **given, strength=strength)) for strength in (0.5, 0.5, 0)]
    assert answers[0] == answers[1]
    assert open_picture(answers[0]).size == (90, 60)
    assert open_picture(answers[2]) == picture


@pytest.mark.parametrize("name", ["edit_image", "inpaint"])
def test_an_engine_that_does_not_edit_is_refused_with_those_that_do(name: str, http: httpx.Client) -> None:
    assert_refused(ask(http, name, engine=OPENAI), f"{OPENAI} edits no pictures; choose one of sd-mini, tiny-sd.")
    assert_refused(ask(http, name, engine="sd-maxi"), "engine must be one of sd-mini, tiny-sd.")
    assert_refused(ask(http, name, engine="tiny-sd", count=17), "count must be a whole number from 1 to 16.")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "file:///etc/passwd", "http://169.254.169.254/", "data:,x", "/tmp", "owner/model"]
)
def test_rows_17_and_18_no_engine_is_named_by_a_visitor(name: str, http: httpx.Client) -> None:
    assert_refused(ask(http, NAME, engine=name), "engine must be one of")
