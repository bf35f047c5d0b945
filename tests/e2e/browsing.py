"""A visitor with a browser: how Chromium is started, and what counts as a fault of a page."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from e2e.visiting import App
from playwright.sync_api import BrowserContext, Locator, Page, Request

from imagegen.ui.language import locale

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 15_000  # milliseconds for anything to appear on a busy machine
SETTLED = 400  # milliseconds, after which transitions are over
RUN = 60_000  # milliseconds for a diffusion run there, with the first loading of the network
DENOISED = '.denoise[data-done="true"]'
FIRST_PICTURE = ".sheet[data-drawn]"
BROKEN_OFF = re.compile("AbortError|Connection errored out")
KEYS = [key for key in locale("en") if "." in key]
OVERLAPS = """() => {
  const shown = [...document.querySelectorAll("button, input, canvas, img, h1, h3, .hint, .ruler")]
    .filter((element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 1 && box.height > 1);
  const names = [];
  for (const a of shown) for (const b of shown) {
    if (a.element === b.element || a.element.contains(b.element) || b.element.contains(a.element)) continue;
    if (a.element.closest(".compare")?.contains(b.element)) continue; // these are meant to
    const width = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
    const height = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
    if (width > 3 && height > 3) names.push([a, b].map(({ element }) => element.outerHTML.slice(0, 80)).join(" over "));
  }
  return names;
}"""

STRAY_CURVES = """() => [...document.querySelectorAll("svg :is(polyline, path, rect, circle)")]
  .filter((mark) => mark.checkVisibility())
  .map((mark) => [mark, mark.getBoundingClientRect(), mark.ownerSVGElement.getBoundingClientRect()])
  .filter(([, mark, chart]) => mark.left < chart.left - 4 || mark.right > chart.right + 4
    || mark.top < chart.top - 4 || mark.bottom > chart.bottom + 4)
  .map(([mark]) => `${mark.outerHTML.slice(0, 80)} in ${mark.ownerSVGElement.outerHTML.slice(0, 80)}`)"""


class Visitor:
    """Opens pages in a browser profile of its own, and notes whatever goes wrong in them.

    Errors of the console and of scripts, and requests to anywhere but this machine, are faults.
    """

    def __init__(self, context: BrowserContext, app: App) -> None:
        self.context = context
        self.app = app
        self.faults: list[str] = []

    def open(self, query: str = "", first: str = FIRST_PICTURE) -> Page:
        """The page, once its first pictures are drawn."""
        page = self.context.new_page()
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._note_request)
        page.goto(f"{self.app.url}/{query}")
        page.locator(first).wait_for(timeout=RUN)
        return page

    def reload(self, page: Page, first: str = FIRST_PICTURE) -> None:
        """Anew. What the old page was still asking for is broken off, which is no fault."""
        before = len(self.faults)
        page.reload()
        page.locator(first).wait_for(timeout=RUN)
        self.faults[before:] = [said for said in self.faults[before:] if not BROKEN_OFF.search(said)]

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.faults.append(f"request to {request.url}")


def assert_everything_in_place(page: Page) -> None:
    """Nothing runs over the side or over something else, and nothing is left untranslated."""
    assert page.viewport_size
    assert page.evaluate("document.scrollingElement.scrollWidth") <= page.viewport_size["width"]
    page.evaluate("scrollTo(0, 0)")
    assert not page.evaluate(OVERLAPS)
    assert not page.evaluate(STRAY_CURVES)
    text = page.locator("body").inner_text()
    assert not [key for key in KEYS if re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.])", text)]


def unfold_everything(page: Page) -> None:
    """Open what is folded in the tab that is looked at."""
    folded = page.locator("button.label-wrap:not(.open):visible")
    while folded.count():
        press(folded.first)


def assert_in_place_in_both_themes(page: Page) -> None:
    for _ in "light", "dark":
        page.evaluate("scrollTo(0, 0)")
        page.locator("#theme").click()
        page.wait_for_timeout(SETTLED)
        assert_everything_in_place(page)


def until(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until it holds: what a canvas shows comes a moment after a click."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not holds():
        assert time.monotonic() < deadline, "This has not come to hold."
        page.wait_for_timeout(50)


def drag(page: Page, element: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse, between two places given as shares of the element's width and height."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    assert box
    (x0, y0), (x1, y1) = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end))
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=8)
    page.mouse.up()


def press(element: Locator) -> None:
    """Click where the page is scrolled so that nothing that sticks to its top lies above."""
    element.evaluate("element => element.scrollIntoView({ block: 'center' })")
    element.click()


def words(page: Page) -> dict[str, str]:
    """In the language that the page has now."""
    return locale(str(page.evaluate("window.imagegen.language()")))


def open_tab(page: Page, key: str) -> None:
    """Select a tab, which on a phone may be behind the menu of those that do not fit."""
    name = words(page)[key]
    tab = page.get_by_role("tab", name=name)
    if not tab.is_visible():
        page.locator(".overflow-menu > button").first.click()
        tab = page.locator(".overflow-dropdown button", has_text=name).first
    tab.click()


@contextmanager
def denoised(page: Page) -> Iterator[None]:
    """What is done inside starts a diffusion run; afterwards it is done."""
    page.evaluate("document.querySelector('.denoise').dataset.done = 'before'")
    yield
    page.locator(DENOISED).wait_for(timeout=RUN)


def panels(page: Page) -> list[str]:
    """x_t, the noise and the picture, as they are shown."""
    found: list[str] = page.eval_on_selector_all(
        ".denoise .panels canvas", "all => all.map((canvas) => canvas.toDataURL())"
    )
    return found


def set_number(page: Page, name: str, value: float) -> None:
    """Again, should it not last: Gradio sets what an accordion holds to its first value a moment after it opens."""
    field = page.locator(f"#{name} input[type=number]").first
    for _ in range(5):
        field.fill(str(value))
        field.press("Tab")
        page.wait_for_timeout(SETTLED)
        if field.input_value() == str(value):
            return
    raise AssertionError(f"{name} does not keep {value} but shows {field.input_value()}.")


def choose(page: Page, name: str, option: str) -> None:
    page.locator(f"#{name} input").click()
    page.get_by_role("option", name=option, exact=True).click()
