"""Row 30 of the bad inputs: behind a proxy with a root path, every asset and stream works."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from e2e.browsing import RUN, Visitor, denoised, open_tab, press, set_number
from e2e.endpoints import ask, made
from e2e.proxied import behind
from e2e.visiting import App, digit_picture, encoded, running, score
from playwright.sync_api import Request, Response, expect

ROOT_PATH = "/pictures/all"


@pytest.fixture(scope="module")
def app(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    log = tmp_path_factory.mktemp("proxied") / "log.txt"
    with running(log, checkpoints, {"GRADIO_ROOT_PATH": ROOT_PATH}) as app, behind(app, ROOT_PATH) as url:
        yield App(url, app.log, app.pid)


def test_row_30_pages_pictures_uploads_and_streams(visitor: Visitor) -> None:
    strays: list[str] = []

    def note(request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme == "http" and not address.path.startswith(f"{ROOT_PATH}/"):
            strays.append(request.url)

    def note_refusal(response: Response) -> None:
        if response.status >= 400:
            strays.append(f"{response.status} {response.url}")

    visitor.context.on("request", note)
    visitor.context.on("response", note_refusal)
    page = visitor.open()
    picture = encoded(digit_picture())
    page.set_input_files("#upload input[type=file]", {"name": "one.png", "mimeType": "image/png", "buffer": picture})
    expect(page.locator(".verdict .bar")).to_have_count(10, timeout=RUN)
    open_tab(page, "diff.tab")
    expect(page.locator(".forward .panel img")).to_have_count(3)  # of what was brought before the tab was opened
    set_number(page, "steps", 3)
    with denoised(page):
        press(page.locator("#diff-run"))
    page.locator("#share").click()
    link = str(page.evaluate("navigator.clipboard.readText()"))
    assert link.startswith(f"{visitor.app.url}/?recipe=")
    visitor.open(link.removeprefix(f"{visitor.app.url}/"))
    assert not strays


def test_row_30_the_api(app: App) -> None:
    with httpx.Client(base_url=f"{app.url}/gradio_api", trust_env=False, timeout=30) as http:
        assert made(http, ask(http, "gan_sample")).startswith(b"\x89PNG")
        assert score(http, encoded(digit_picture())).event == "complete"
        assert made(http, ask(http, "text_to_image")).startswith(b"\x89PNG")
