"""Faces on the VAE tab, of tiny untrained checkpoints: attributes, a photo's eyes, sums, a link."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.browsing import RUN, Visitor, assert_everything_in_place, drag, open_tab, press, unfold_everything, until
from e2e.visiting import App, running
from PIL import Image
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

FACES = "faces"


@pytest.fixture(scope="module")
def app(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running(tmp_path_factory.mktemp("tiny") / "log.txt", checkpoints) as app:
        yield app


@pytest.fixture
def tab(page: Page) -> Page:
    """The tab with the face model chosen."""
    open_tab(page, "vae.tab")
    page.locator(".plane[data-drawn]").wait_for(timeout=RUN)
    press(page.locator("#vae-model").get_by_text(FACES))
    expect(page.locator(".encoding .stems span")).to_have_count(20, timeout=RUN)
    return page


def drawn(widget: Locator, than: str = "") -> str:
    """How often the widget was drawn, once it was oftener than before."""
    widget.evaluate("element => element.scrollIntoView({ block: 'center' })")
    expect(widget).to_have_attribute("data-drawn", re.compile(r"\d"), timeout=RUN)
    expect(widget).not_to_have_attribute("data-drawn", than, timeout=RUN)
    return widget.get_attribute("data-drawn") or ""


def sources(images: Locator) -> list[str]:
    found: list[str] = images.evaluate_all("all => all.map((image) => image.src)")
    return found


def test_a_face_gets_attributes_and_a_link_brings_them_back(tab: Page, visitor: Visitor) -> None:
    expect(tab.locator("#vae-model input:checked")).to_have_value("vae-celeba")
    expect(tab.get_by_text("for non-commercial research only")).to_be_visible()
    expect(tab.locator(".plane")).to_have_attribute("data-own", "")  # a face has no place among the digits
    moved, latents = tab.locator(".moved"), tab.locator(".latents")
    before = drawn(moved)
    still = sources(moved.locator("img"))
    smile = latents.locator(".slide").first
    expect(smile).to_contain_text("smiling")
    expect(smile).to_contain_text("AUC 0.50")
    for _ in range(10):
        smile.locator("input").press("ArrowRight")
    drawn(moved, than=before)
    expect(smile.locator("output")).to_have_text("1.0")
    tab.wait_for_timeout(1000)
    assert sources(moved.locator("img")) != still

    tab.locator("#share").click()
    expect(tab.locator("#share")).to_have_text("Copied")
    link = tab.evaluate("navigator.clipboard.readText()")
    other = visitor.open(link.removeprefix(f"{visitor.app.url}/"), first=".latents[data-drawn]")
    expect(other.locator("#vae-model input:checked")).to_have_value("vae-celeba")
    expect(other.locator(".latents output").first).to_have_text("1.0")
    assert sources(other.locator(".moved img")) == sources(moved.locator("img"))


def test_the_eyes_of_a_photo_are_put_in_place_and_the_face_joins_a_sum(tab: Page, tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((300, 200)).convert("RGB").save(tmp_path / "photo.png")
    tab.set_input_files("#vae-upload input[type=file]", tmp_path / "photo.png")
    expect(tab.locator(".traveller")).to_contain_text("Not made here")
    press(tab.get_by_role("button", name="Align a face"))
    eyes = tab.locator(".eyes")
    before = drawn(eyes)
    crop = eyes.locator(".fits canvas")
    middle = crop.evaluate("canvas => canvas.toDataURL()")
    first = eyes.locator(".eye").first
    drag(tab, first, (0.5, 0.5), (-1.5, 2.5))
    until(tab, lambda: crop.evaluate("canvas => canvas.toDataURL()") != middle)
    dragged = crop.evaluate("canvas => canvas.toDataURL()")
    first.press("ArrowRight")
    until(tab, lambda: crop.evaluate("canvas => canvas.toDataURL()") != dragged)
    picture = tab.locator(".traveller img").get_attribute("src")
    press(eyes.get_by_role("button", name="Use this crop"))
    expect(tab.locator(".traveller img")).not_to_have_attribute("src", picture or "")
    drawn(eyes, than=before)  # of the cropped picture, whose eyes lie where they belong
    assert tab.locator(".traveller img").evaluate("image => image.naturalWidth === image.naturalHeight")

    total = tab.locator(".sum")
    count = drawn(total)
    seeds = sources(total.locator("img"))
    assert len(set(seeds)) == 4
    press(tab.locator("#sum-slots .slot").nth(1).get_by_role("button", name="Your picture"))
    drawn(total, than=count)
    expect(total.locator("figcaption")).to_have_text(["A: seed 3", "B: your picture", "C: seed 15", "A − B + C"])
    now = sources(total.locator("img"))
    assert [a == b for a, b in zip(now, seeds, strict=True)] == [True, False, True, False]
    press(total.get_by_role("button", name="Take it along"))
    expect(tab.locator(".traveller img")).to_have_attribute("src", now[3])


@pytest.mark.parametrize(("width", "language"), [(390, "zh-CN")])
def test_faces_have_their_place_on_a_phone(page: Page) -> None:
    open_tab(page, "vae.tab")
    page.locator(".plane[data-drawn]").wait_for(timeout=RUN)
    press(page.locator("#vae-model").get_by_text("人脸"))
    for name in ("encoding", "between", "moved", "latents", "sum"):
        drawn(page.locator(f".{name}"))
    unfold_everything(page)
    assert_everything_in_place(page)
