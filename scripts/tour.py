"""The moving picture in the README: four tabs of a running app, as a visitor slides through them.

python app.py & python scripts/tour.py http://127.0.0.1:7860 docs/tour.webp
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
VIEW, SIZE = (1280, 800), (800, 500)
MOMENT = 130  # ms
SLIDE = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"
SLANT = (0.6, 1.2, 1.8, 2.4, 3, 2.2, 1.2, 0, -1, -2, -3, -2, -1, 0)
STYLES = (0, 2, 5, 7, 13, 18)


class Film:
    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []

    def hold(self, moments: int) -> None:
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames += [picture.resize(SIZE, Image.Resampling.LANCZOS)] * moments

    def slide(self, slider: Locator, values: tuple[float, ...]) -> None:
        for value in values:
            slider.evaluate(SLIDE, value)
            self.page.wait_for_timeout(350)
            self.hold(1)

    def open(self, tab: str, place: str) -> None:
        self.page.get_by_role("tab", name=tab).click()
        self.page.wait_for_timeout(9_000)  # its first picture
        self.page.locator(place).evaluate("element => element.scrollIntoView({ block: 'center' })")
        self.page.wait_for_timeout(500)
        self.hold(3)


def main(address: str, file: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": VIEW[0], "height": VIEW[1]}, locale="en")
        page.add_init_script("localStorage.setItem('imagegen_start', 'closed')")
        page.goto(address)
        page.locator(".cell").first.wait_for()
        page.wait_for_timeout(5_000)
        film = Film(page)
        film.hold(3)
        film.slide(page.locator("#direction-1 input[type=range]"), SLANT)
        for tab, place in (("Diffusion", ".denoise"), ("Words to pictures", ".painting")):
            film.open(tab, place)
            film.slide(page.locator(f"{place} input[type=range]").first, tuple(range(20)))
            film.hold(4)
        film.open("Style transfer", ".painted")
        for place in STYLES:
            page.locator(".styles .thumbs button").nth(place).click()
            page.wait_for_timeout(2_500)
            film.hold(3)
        browser.close()
    first, *others = film.frames
    first.save(file, save_all=True, append_images=others, duration=MOMENT, loop=0, quality=55, method=6)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
