"""Faces on the diffusion tab, of tiny untrained checkpoints: choosing them, asking for traits, a link of both."""

import pytest
from e2e.browsing import DENOISED, RUN, Visitor, choose, denoised, open_tab, panels, press, set_number, until
from e2e.tiny import Tiny
from e2e.visiting import App
from playwright.sync_api import Page, expect

from imagegen.tasks.diffusion import FaceRequest

pytestmark = pytest.mark.browser


@pytest.fixture
def app(tiny: Tiny) -> App:
    return tiny.app


def test_faces_are_asked_for_by_traits_and_come_back_by_a_link(page: Page, visitor: Visitor) -> None:
    open_tab(page, "diff.tab")
    page.locator(DENOISED).wait_for(timeout=RUN)
    expect(page.locator("#diff-digit")).to_be_visible()
    expect(page.locator("#traits")).to_be_hidden()
    page.locator("#model").get_by_text("Faces, in latents").click()
    expect(page.locator("#diff-digit")).to_be_hidden()
    expect(page.locator("#traits")).to_be_visible()
    guidance = "#guidance input[type=number]"
    expect(page.locator(guidance)).to_have_value(f"{FaceRequest().guidance_scale:g}")
    choose(page, "traits", "smiling")
    page.keyboard.press("Escape")
    set_number(page, "guidance", 3)
    set_number(page, "steps", 4)
    with denoised(page):
        press(page.locator("#diff-run"))
    expect(page.locator(".denoise .panels canvas").last).to_have_attribute("width", "64")
    expect(page.locator(".others figure")).to_have_count(17)
    expect(page.locator(".others .asked figcaption")).to_have_text(["smiling"])
    page.locator("#share").click()
    expect(page.locator("#share")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")

    other = visitor.open(link.removeprefix(f"{visitor.app.url}/"), first=DENOISED)
    expect(other.locator("#model input:checked")).to_have_value("ddpm-celeba")
    expect(other.locator("#traits")).to_contain_text("smiling")
    expect(other.locator(guidance)).to_have_value("3")
    until(other, lambda: panels(other) == panels(page))
