"""Row 26 of the bad inputs as a person meets it: who waits is told their place, and when the queue is full."""

from collections.abc import Iterator

import httpx
import pytest
from e2e.browsing import RUN, Visitor, open_tab
from e2e.endpoints import ENDPOINTS, LONG, ask
from e2e.tiny import Tiny
from e2e.visiting import App, Visit
from playwright.sync_api import Page, expect

from imagegen.ui.limits import MAX_QUEUE

pytestmark = pytest.mark.browser
LONG_RUN = list({**ENDPOINTS["diffuse_sample"], **LONG["diffuse_sample"]}.values())
PAINTED = '.painting[data-done="true"]'


@pytest.fixture(scope="module")
def app(tiny: Tiny) -> App:
    return tiny.app


class Others:
    """Visitors with a long run each, of which the first is under way and the rest wait."""

    def __init__(self, http: httpx.Client, count: int) -> None:
        self.visits = [Visit(http) for _ in range(count)]
        self.events = [visit.join("diffuse_sample", LONG_RUN) for visit in self.visits]

    def leave(self) -> None:
        """The one whose run is under way."""
        self.visits.pop(0).cancel("diffuse_sample", self.events.pop(0))


@pytest.fixture
def others(page: Page, app: App) -> Iterator[Others]:
    with app.http() as http:
        assert ask(http, "text_to_image").event == "complete"  # nobody else is in line
        others = Others(http, 3)
        yield others
        while others.visits:
            others.leave()


@pytest.mark.parametrize(
    ("language", "place"), [("en-US", "You are number {} in line"), ("zh-CN", "正在排队，你是第 {} 位")]
)
def test_row_26_who_waits_is_told_their_place(page: Page, others: Others, place: str) -> None:
    open_tab(page, "words.tab")  # whose first run needs no click
    line = page.locator(".in-line")
    for number in (3, 2, 1):
        expect(line).to_have_text(place.format(number), timeout=RUN)
        others.leave()
    expect(line).to_be_hidden(timeout=RUN)
    page.locator(PAINTED).wait_for(timeout=RUN)
    expect(line).to_be_hidden()


@pytest.mark.parametrize("language", ["zh-CN"])
def test_row_26_a_full_queue_is_said_on_the_page(page: Page, others: Others, visitor: Visitor) -> None:
    short = {"json": {"data": list(ENDPOINTS["text_to_image"].values())}}
    asked = [others.visits[0].http.post("/call/text_to_image", **short).status_code for _ in range(MAX_QUEUE)]
    assert asked[-1] == 503
    open_tab(page, "words.tab")  # whose first run needs no click
    expect(page.get_by_test_id("toast-body").first).to_contain_text("队列已满", timeout=RUN)
    expect(page.locator("#words-run")).to_be_visible()  # it may be pressed again
    assert not [fault for fault in visitor.faults if "503" not in fault]
    visitor.faults.clear()
