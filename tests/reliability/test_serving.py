"""Rows 25 to 32 of the bad inputs: visitors who leave, crowds, other sites, proxies, and being told to stop."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from e2e.endpoints import ENDPOINTS, LONG, ask, brought, made
from e2e.tiny import Tiny
from e2e.visiting import JSON, Answer, App, Visit, assert_refused, call, running
from reliability.how_many import how_many
from serving import LOOPBACK, ROOT, WATCH

from imagegen.ui.limits import MAX_QUEUE
from imagegen.ui.widgets import data_url

STOPPED = 20  # seconds for an app to end that was told to stop


@pytest.mark.usefixtures("works_afterwards")
@pytest.mark.parametrize("name", LONG)
def test_row_25_who_cancels_stops_the_run_within_a_step(name: str, tiny: Tiny, http: httpx.Client) -> None:
    visit, event = begin(name, tiny, http)
    visit.cancel(name, event)
    at = tiny.turns()  # what is being computed is counted already
    time.sleep(1)
    assert tiny.turns() - at <= 2  # the rest of this step: what it computed, and how that looks


@pytest.mark.usefixtures("works_afterwards")
def test_row_25_who_hangs_up_frees_the_slot(tiny: Tiny, http: httpx.Client) -> None:
    with tiny.app.http() as leaving:
        visit, _ = begin("diffuse_sample", tiny, leaving)
        messages = visit.messages()
        next(message for message in messages if message["msg"] == "process_generating")
        messages.close()  # type: ignore[attr-defined]
    started = time.monotonic()
    assert ask(http, "diffuse_sample").event == "complete"
    assert time.monotonic() - started < 5  # the whole run takes longer


def begin(name: str, tiny: Tiny, http: httpx.Client) -> tuple[Visit, str]:
    """A long run that has taken its first steps."""
    before, visit = tiny.turns(), Visit(http)
    event = visit.join(name, [brought(http, value) for value in long(name).values()])
    deadline = time.monotonic() + 60
    while tiny.turns() - before < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return visit, event


def test_row_26_everyone_in_a_crowd_gets_their_own(tiny: Tiny) -> None:
    users = how_many(20, 100)

    def visit(seed: int) -> tuple[Answer, bytes]:
        with tiny.app.http() as http:
            answer = ask(http, "gan_sample", seed=seed)
            return answer, made(http, answer) if answer.event == "complete" else b""

    with ThreadPoolExecutor(users) as pool:
        first, second = (list(pool.map(visit, range(users))) for _ in range(2))
    for seed, ((answer, file), (again, same)) in enumerate(zip(first, second, strict=True)):
        for each in (answer, again):
            if each.event == "complete":
                assert each.data[1]["recipe"]["seed"] == seed
            else:
                assert each.event == "503", each
                assert each.message
        if file and same:
            assert file == same
    assert sum(answer.event == "complete" for answer, _ in first) >= min(users, MAX_QUEUE)


def test_row_26_beyond_the_queue_a_visitor_is_told_to_wait(tiny: Tiny, http: httpx.Client) -> None:
    visit, event = begin("diffuse_sample", tiny, http)
    body = json.dumps({"data": list(ENDPOINTS["text_to_image"].values())})
    asked = [http.post("/call/text_to_image", content=body, headers=JSON) for _ in range(MAX_QUEUE + 6)]
    refused = [answer for answer in asked if answer.status_code != 200]
    visit.cancel("diffuse_sample", event)
    assert {answer.status_code for answer in refused} == {503}
    assert 0 < len(refused) < 10
    assert all("queue" in answer.json()["detail"].lower() for answer in refused)
    for answer in asked:
        if answer.status_code == 200:
            assert "event: complete" in http.get(f"/call/text_to_image/{answer.json()['event_id']}").text


def test_rows_23_27_and_29_no_room_for_files_no_network_and_told_to_stop(checkpoints: Path, tmp_path: Path) -> None:
    """With a proxy in the environment, which would notice whoever reaches outside."""
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    notes, cache = tmp_path / "notes.txt", tmp_path / "cache"
    proxy = "http://proxy.invalid:3128"
    env = {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]), "NOTES": str(notes),
        "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy, "GRADIO_TEMP_DIR": str(cache),
    }  # fmt: skip
    with running(tmp_path / "log.txt", checkpoints, env) as app, app.http() as http:
        file = made(http, ask(http, "gan_sample"))
        shutil.rmtree(cache)
        cache.touch()  # where a file is, no folder can be made
        for name in ("gan_sample", "text_to_image", "vae_decode"):
            nothing, told = ask(http, name).data
            assert nothing is None
            assert "No file could be written here" in told["warning"]
            assert told["about"]
            assert base64.b64decode(told["picture"].partition("base64,")[2]).startswith(b"\x89PNG")
        assert told["picture"] != ask(http, "gan_sample").data[1]["picture"] == data_url(file)
        upload = http.post("/upload", files={"files": b"x"})
        assert upload.status_code == 507
        assert "No file could be written here" in upload.json()["detail"]
        visit = Visit(http)
        visit.join("walk", [3, 8, 0, 1, 2])  # the page's own run
        assert [message["success"] for message in visit.messages() if message["msg"] == "process_completed"] == [True]
        visit = Visit(http)
        visit.join("text_to_image", list(long("text_to_image").values()))
        next(message for message in visit.messages() if message["msg"] == "process_generating")
        deadline = time.monotonic() + STOPPED  # which is far less than the run would have taken
        while psutil.Process(app.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            os.kill(app.pid, signal.SIGTERM)  # by someone impatient
            time.sleep(0.05)
        with pytest.raises(httpx.ConnectError):
            httpx.get(app.url, trust_env=False)
    # where `running` has seen to it that the exit code is 0
    assert set(notes.read_text().split()) <= LOOPBACK


def long(name: str) -> dict[str, Any]:
    return {**ENDPOINTS[name], **LONG[name]}


def test_row_28_a_taken_port_is_one_line_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        started = time.perf_counter()
        result = subprocess.run(
            [sys.executable, "app.py", "--port", port], cwd=ROOT, env={}, capture_output=True, text=True, timeout=30
        )
        assert time.perf_counter() - started < 2
    assert result.returncode == 1
    assert result.stderr == f"Port {port} is in use. Choose another with --port or PORT.\n"


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}])
def test_row_31_other_sites_and_forged_hosts(headers: dict[str, str], http: httpx.Client) -> None:
    assert http.post("/upload", files={"files": b"x"}, headers=headers).status_code == 403
    for name in ENDPOINTS:
        assert_refused(call(http, name, [], **headers), "This app")
    page = str(http.base_url).removesuffix("gradio_api/")
    assert httpx.get(page, headers=headers, trust_env=False).status_code == 403


def test_row_32_visitors_with_one_seed_get_the_same_and_share_nothing(app: App, tiny: Tiny) -> None:
    for served in (app, tiny.app):

        def visit(seed: int, served: App = served) -> bytes:
            with served.http() as http:
                return b"".join(made(http, ask(http, "gan_sample", seed=seed, count=8)) for _ in range(3))

        with ThreadPoolExecutor(8) as pool:
            seen = list(pool.map(visit, [1, 2] * 4))
        assert len(set(seen[0::2])) == len(set(seen[1::2])) == 1
        assert seen[0] != seen[1]
