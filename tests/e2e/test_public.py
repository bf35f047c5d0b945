"""An app that is open to everyone, as visitors meet it: through its page and through its API."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from e2e.browsing import RUN, Visitor, open_tab, press
from e2e.endpoints import ENDPOINTS, ask
from e2e.visiting import JSON, App, Visit, assert_refused, page_of, running
from playwright.sync_api import expect

from imagegen.ui.limits import Limits

LIMITS = Limits()


@pytest.fixture(scope="module")
def app(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    log = tmp_path_factory.mktemp("public") / "log.txt"
    with running(log, checkpoints, program=("app.py", "--public")) as app:
        yield app


def visitor_at(app: App, address: str, language: str = "en") -> httpx.Client:
    """As the proxy of a share link hands on who comes from there, and says what he would be."""
    return app.http(**{"X-Forwarded-For": address, "Accept-Language": language})


@pytest.mark.parametrize(
    ("name", "field", "most"),
    [
        ("diffuse_sample", "steps", LIMITS.steps),
        ("text_to_image", "steps", LIMITS.steps),
        ("edit_image", "steps", LIMITS.steps),
        ("gan_sample", "count", LIMITS.count),
        ("stylize", "size", LIMITS.size),
        ("stylize_slow", "iterations", LIMITS.iterations),
    ],
)
def test_long_runs_are_refused_with_the_limit(name: str, field: str, most: int, app: App) -> None:
    with visitor_at(app, f"10.1.0.{len(name)}") as http:
        assert_refused(ask(http, name, **{field: most + 1}), f"{field} is at most {most} while")
        assert ask(http, name).event == "complete"
    with visitor_at(app, f"10.1.1.{len(name)}", "zh") as http:
        assert_refused(ask(http, name, **{field: most + 1}), f"最多为 {most}")


def test_a_race_keeps_to_the_limit_too(app: App) -> None:
    with visitor_at(app, "10.2.0.1") as http:
        assert_refused(ask(http, "diffuse_race", lanes=[["ddim", 51], ["ddim", 1]]), "steps is at most 50 while")


def test_the_pages_sliders_end_where_the_limits_are(app: App) -> None:
    with visitor_at(app, "10.2.0.2") as http:
        shown = {part["props"].get("elem_id"): part["props"] for part in page_of(http)["components"]}
    found = [shown[name]["maximum"] for name in ("steps", "words-steps", "edit-steps", "count", "style-iterations")]
    assert found == [LIMITS.steps] * 3 + [LIMITS.count, LIMITS.iterations]
    assert shown["large-size"]["maximum"] == LIMITS.size


def test_runs_are_counted_by_page_and_by_the_proxys_word_of_the_address(app: App) -> None:
    refused = {"data": [None]}  # by the endpoint, at once; it counts all the same
    with visitor_at(app, "10.3.0.1") as http:
        found = [http.post("/call/text_to_image", json=refused).status_code for _ in range(LIMITS.runs + 1)]
        assert found == [200] * LIMITS.runs + [429]
    with visitor_at(app, "1.2.3.4, 10.3.0.1") as http:  # who says that he is somebody else
        answer = http.post("/call/text_to_image", json=refused)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) <= 60
        assert ask(http, "gan_sample").event == "complete"  # what is short is counted for itself
    with visitor_at(app, "10.3.0.2") as http:
        assert ask(http, "text_to_image").event == "complete"


def test_a_slider_may_be_dragged_for_long(app: App) -> None:
    """Thirty events a second, for ten seconds."""
    with visitor_at(app, "10.4.0.1") as http:
        visit = Visit(http)
        body = visit.asking("gan_score", [None, None])
        found = {http.post("/queue/join", content=body, headers=JSON).status_code for _ in range(300)}
    assert 429 not in found


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_the_page_says_when_to_try_again(app: App, visitor: Visitor, language: str) -> None:
    address = f"10.5.0.{len(language) + ord(language[0])}"
    visitor.context.set_extra_http_headers({"X-Forwarded-For": address})
    page = visitor.open()
    with visitor_at(app, address) as http:
        call = json.dumps({"data": list(ENDPOINTS["text_to_image"].values())[:1], "session_hash": ""})
        for session in range(LIMITS.pages):  # others behind the same address
            body = call.replace('"session_hash": ""', f'"session_hash": "s{session}"')
            for _ in range(LIMITS.runs):
                http.post("/call/text_to_image", content=body, headers=JSON)
    open_tab(page, "words.tab")
    press(page.locator("#words-run"))
    toast = page.get_by_test_id("toast-body")
    expect(toast).to_contain_text("秒后再试" if language == "zh-CN" else "Try again in", timeout=RUN)
    expect(page.locator("#words-run")).to_be_visible()  # it may be pressed again
    visitor.faults[:] = [fault for fault in visitor.faults if "429" not in fault]
