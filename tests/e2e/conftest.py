"""One app for all of these tests, as `python app.py` starts it, and a Chromium that looks at it.

A browser lives as long as one file of tests: playwright's event loop must be gone before others start theirs.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from e2e.browsing import FLAGS, PATIENCE, Visitor
from e2e.diffusing import Tiny, running_slowly
from e2e.visiting import App, digit_picture, running
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serving import ROOT

SCREENSHOTS = ROOT / "test-results"


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running(tmp_path_factory.mktemp("app") / "log.txt") as app:
        yield app


@pytest.fixture(scope="session")
def http(app: App) -> Iterator[httpx.Client]:
    with app.http() as client:
        yield client


@pytest.fixture(scope="session")
def tiny(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running_slowly(checkpoints, tmp_path_factory.mktemp("tiny")) as tiny:
        yield tiny


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = os.environ.get("IMAGEGEN_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("No browser: apt-get install chromium fonts-noto-cjk, or name a Chromium in IMAGEGEN_CHROMIUM.")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS, "--no-sandbox"] if root else FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser, app: App, request: pytest.FixtureRequest, width: int, language: str) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": width, "height": 900}, locale=language)
    context.set_default_timeout(PATIENCE)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor = Visitor(context, app)
    yield visitor
    for number, page in enumerate(context.pages):
        name = re.sub(r"[^\w-]+", "_", request.node.name)
        page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png", full_page=True)
    context.close()
    assert not visitor.faults


@pytest.fixture
def width() -> int:
    """Pixels; tests override it."""
    return 1280


@pytest.fixture
def language() -> str:
    """What the browser asks for; tests override it."""
    return "en-US"


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.open()


@pytest.fixture
def one_png(tmp_path: Path) -> Path:
    path = tmp_path / "one.png"
    digit_picture().save(path)
    return path
