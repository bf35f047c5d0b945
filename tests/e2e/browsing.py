"""A visitor with a browser: how Chromium is started, and what counts as a fault of a page."""

from urllib.parse import urlsplit

from e2e.visiting import App
from playwright.sync_api import BrowserContext, Page, Request

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 15_000  # milliseconds for anything to appear on a busy machine


class Visitor:
    """Opens pages in a browser profile of its own, and notes whatever goes wrong in them.

    Errors of the console and of scripts, and requests to anywhere but this machine, are faults.
    """

    def __init__(self, context: BrowserContext, app: App) -> None:
        self.context = context
        self.app = app
        self.faults: list[str] = []

    def open(self, query: str = "") -> Page:
        """The page, once its first pictures are drawn."""
        page = self.context.new_page()
        page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("request", self._note_request)
        page.goto(f"{self.app.url}/{query}")
        page.locator(".sheet[data-drawn]").wait_for()
        return page

    def _note_request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.faults.append(f"request to {request.url}")
