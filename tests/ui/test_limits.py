"""Who may ask how often, and how much at once, where an app is open to everyone."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from imagegen.errors import InputError
from imagegen.tasks import checks
from imagegen.tasks.diffusion import DigitRequest
from imagegen.tasks.text_to_image import TextToImageRequest
from imagegen.ui.launch import Settings
from imagegen.ui.limits import Gate, Limits, Minutes, network

FUNCTIONS = {
    0: SimpleNamespace(api_name="slide", concurrency_id="live"),
    1: SimpleNamespace(api_name="run", concurrency_id="job"),
    2: SimpleNamespace(api_name="choose", concurrency_id="click"),
}
FEW = Limits(runs=2, moves=5, pages=3)
JOIN, CALL = "/gradio_api/queue/join", "/gradio_api/call/"


async def queue(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that repeats what it was asked."""
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def full_queue(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": []})
    await send({"type": "http.response.body", "body": b"as Gradio says it"})


def asked(
    gate: Gate, path: str = JOIN, client: str = "8.8.8.8", language: str = "en", body: bytes | None = None, **data: Any
) -> tuple[int, bytes, dict[bytes, bytes]]:
    """Status, body and headers of the answer."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(data).encode() if body is None else body}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"accept-language", language.encode())]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "client": (client, 1)}
    asyncio.run(gate(scope, receive, send))
    start, content = sent
    return start["status"], content["body"], dict(start["headers"])


def statuses(gate: Gate, times: int, **how: Any) -> list[int]:
    return [asked(gate, **how)[0] for _ in range(times)]


def test_a_minute_begins_with_the_first_request_and_says_when_it_is_over() -> None:
    minutes, found = Minutes(), []
    for now in (100, 110, 120, 159.5):
        found.append(minutes.wait("a", 2, now))
        if not found[-1]:
            minutes.count(["a"], now)
    assert found == [0, 0, 40, 1]
    minutes.count("b", 130)
    assert minutes.wait("a", 2, 160) == 0
    minutes.count("a", 160)
    assert minutes.seen == {"b": (130, 1), "a": (160, 1)}
    minutes.count("c", 1000)
    assert list(minutes.seen) == ["c"], "who came long ago is forgotten"


def test_a_page_has_its_runs_and_its_moves() -> None:
    gate = Gate(queue, FUNCTIONS, FEW)
    assert statuses(gate, 3, fn_index=1, session_hash="s") == [200, 200, 429]
    assert statuses(gate, 6, fn_index=0, session_hash="s") == [200] * 5 + [429]
    assert statuses(gate, 3, fn_index=1, session_hash="other") == [200, 200, 429]
    assert asked(gate, path=f"{CALL}run", data=[])[0] == 200, "what was refused counts for nobody"


def test_a_new_session_with_each_request_does_not_help_for_ever() -> None:
    gate = Gate(queue, FUNCTIONS, FEW)
    assert [asked(gate, fn_index=1, session_hash=str(i))[0] for i in range(7)] == [200] * 6 + [429]
    assert asked(gate, client="9.9.9.9", fn_index=1, session_hash="0")[0] == 200


@pytest.mark.parametrize("path", [f"{CALL}run", f"{CALL}run/", f"{CALL}v2/run", f"/root{CALL}run"])
def test_calls_without_a_page_count_as_one(path: str) -> None:
    assert statuses(Gate(queue, FUNCTIONS, FEW), 3, path=path, data=[]) == [200, 200, 429]


@pytest.mark.parametrize("index", ["1", "0", 0.0, 7, None, [0], {}])
def test_what_is_not_known_to_be_short_counts_as_a_run(index: Any) -> None:
    assert statuses(Gate(queue, FUNCTIONS, FEW), 3, fn_index=index, session_hash="s")[2] == 429


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_none_goes_on_to_be_refused(body: bytes) -> None:
    assert asked(Gate(queue, FUNCTIONS, FEW), body=body)[:2] == (200, body)


def test_a_private_app_counts_nothing() -> None:
    gate = Gate(queue, FUNCTIONS, None)
    assert statuses(gate, 20, fn_index=1, session_hash="s") == [200] * 20
    assert not gate.minutes.seen


def test_a_refusal_says_when_to_try_again_in_the_visitors_language() -> None:
    gate = Gate(queue, FUNCTIONS, FEW)
    statuses(gate, 2, fn_index=1)
    _, said, headers = asked(gate, fn_index=1)
    assert "at most 2 such requests a minute" in json.loads(said)["detail"]
    assert "Try again in 60 seconds." in json.loads(said)["detail"]
    assert headers[b"retry-after"] == b"60"
    assert "60 秒后再试" in json.loads(asked(gate, language="zh-CN", fn_index=1)[1])["detail"]


def test_uploads_count_by_address_and_their_pictures_are_not_held() -> None:
    gate, upload = Gate(queue, FUNCTIONS, FEW), "/gradio_api/upload"
    assert statuses(gate, 7, path=upload, body=b"a picture") == [200] * 6 + [429]
    assert asked(gate, upload, "9.9.9.9", body=b"a picture")[:2] == (200, b"a picture")
    assert statuses(gate, 2, fn_index=1, session_hash="s") == [200, 200], "runs are another matter"


def test_a_full_queue_is_said_in_the_visitors_language() -> None:
    gate = Gate(full_queue, FUNCTIONS, None)
    status, said, headers = asked(gate, fn_index=1)
    assert (status, headers[b"retry-after"]) == (503, b"60")
    assert json.loads(said)["detail"] == "The queue is full: 64 requests are waiting already. Try again in a minute."
    assert "队列已满" in json.loads(asked(gate, language="zh", fn_index=1)[1])["detail"]


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_what_is_no_request_goes_on(kind: str) -> None:
    reached: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append(scope["type"])

    async def nothing(*_: Any) -> Any: ...

    asyncio.run(Gate(app, FUNCTIONS, FEW)({"type": kind}, nothing, nothing))
    assert reached == [kind]


def test_who_has_many_addresses_is_one_visitor() -> None:
    def of(host: str) -> str:
        return network({"client": (host, 1)})

    assert of("2001:db8::1") == of("2001:db8::ffff:2") != of("2001:db8:0:1::1")
    assert of("8.8.8.8") != of("8.8.4.4")
    assert of("::ffff:1.2.3.4") == of("1.2.3.4")
    assert network({}) == of("unknown")


@pytest.mark.parametrize(("limits", "there"), [({}, False), ({"public": True}, True)])
def test_limits_are_for_apps_that_are_open_to_everyone(
    limits: dict[str, bool], there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPACE_HOST", raising=False)
    assert (Settings(**limits).limits == Limits()) is there
    monkeypatch.setenv("SPACE_HOST", "me-app.hf.space")
    assert Settings(**limits).limits == Limits()


def test_a_run_is_no_longer_than_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CEILINGS", {"steps": 50})
    assert DigitRequest(steps=50).steps == 50
    for request in (DigitRequest, TextToImageRequest):
        with pytest.raises(InputError, match="steps is at most 50 while this app is open to everyone"):
            request(steps=51)
    with pytest.raises(InputError, match="steps must be a whole number from 1 to 100"):
        DigitRequest(steps=101)
