"""The Images API over real HTTP: what is sent, what comes back, and each refusal in words of ours without the key."""

import logging
import time
import zlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest
import torch
from images_api import KEY, Service, images_api, painted, refusal
from serving import free_port

from imagegen.engines.engine import Asked, Painted
from imagegen.engines.openai_images import MODELS, OpenAIImages
from imagegen.engines.opening import open_engines
from imagegen.errors import EngineError, ImageGenError, InputError

ASKED = Asked("a cat", "a dog", (0,), "ddim", 20, 4.0, "auto")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with images_api() as service:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", service.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield service


def paint(engine: OpenAIImages, **values: Any) -> Painted:
    *_, last = engine.paint(replace(ASKED, **values))
    return last


def refused(engine: OpenAIImages, caplog: pytest.LogCaptureFixture, **values: Any) -> ImageGenError:
    """Why; and the key is told to nobody."""
    with caplog.at_level(logging.DEBUG), pytest.raises(ImageGenError) as caught:
        paint(engine, **values)
    shown = f"{caught.value!r} {caught.value} {caught.value.values} {caught.value.__cause__}"
    assert KEY not in shown + caplog.text
    assert KEY[:12] not in shown
    return caught.value


def test_a_picture_comes_back_and_only_what_the_service_knows_is_sent(service: Service) -> None:
    engine = OpenAIImages("gpt-image-2")
    last = paint(engine, seeds=(0, 1, 2), size="1536x1024")
    assert last.images.shape == (3, 3, 16, 24)
    assert last.images.abs().max() <= 1
    assert (last.index, last.total, last.pred_x0, last.attention) == (1, 1, None, None)
    assert service.asked == [
        {"path": "/v1/images/generations", "prompt": "a cat", "model": "gpt-image-2", "n": 3, "size": "1536x1024"}
    ]
    assert service.keys == {f"Bearer {KEY}"}


def test_the_older_models_are_asked_for_base64_and_dall_e_3_for_one_at_a_time(service: Service) -> None:
    assert len(paint(OpenAIImages("dall-e-3"), seeds=(0, 1)).images) == 2
    assert [(asked["n"], asked["response_format"], asked["size"]) for asked in service.asked] == [
        (1, "b64_json", "1024x1024")
    ] * 2


def test_nobody_is_kept_waiting_and_leaving_ends_it(service: Service) -> None:
    service.delay = 1.0
    steps = OpenAIImages("gpt-image-2").paint(ASKED)
    started = time.monotonic()
    beats = list(islice(steps, 2))
    assert time.monotonic() - started < 0.9
    assert [(step.index, len(step.images)) for step in beats] == [(0, 0)] * 2
    started = time.monotonic()
    steps.close()
    assert time.monotonic() - started < 0.5


def test_too_many_requests_are_tried_again_when_the_service_says(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer(429, refusal("rate_limit_exceeded", "Slow down."), Retry_After="1")
    service.answer(200, painted())
    started = time.monotonic()
    assert len(paint(OpenAIImages("gpt-image-2")).images) == 1
    assert time.monotonic() - started >= 1
    assert len(service.asked) == 2
    service.answers[:] = [(429, {"Retry-After": "0.01"}, refusal("rate_limit_exceeded", "Slow down."))]
    assert "asked too much" in str(refused(OpenAIImages("gpt-image-2"), caplog))
    assert len(service.asked) == 5
    service.answers[:] = [(429, {"Retry-After": "0.01"}, refusal("insufficient_quota", "Pay."))]
    assert "nothing left to spend" in str(refused(OpenAIImages("gpt-image-2"), caplog))


@pytest.mark.parametrize(
    ("status", "code", "kind", "words"),
    [
        (401, "invalid_api_key", EngineError, "does not let this key use"),
        (403, "forbidden", EngineError, "does not let this key use"),
        (404, "model_not_found", EngineError, "knows no model gpt-image-2"),
        (400, "moderation_blocked", InputError, "refused to paint this"),
        (400, "content_policy_violation", InputError, "refused to paint this"),
        (400, "invalid_value", EngineError, "refused with status 400"),
        (500, "server_error", EngineError, "refused with status 500"),
    ],
)
def test_every_refusal_has_its_own_words(
    status: int, code: str, kind: type, words: str, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer(status, refusal(code, f"Incorrect API key provided: {KEY}."), Retry_After="0.01")
    problem = refused(OpenAIImages("gpt-image-2"), caplog)
    assert type(problem) is kind
    assert words in str(problem)


def test_a_service_that_is_slow_or_not_there_is_named(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.delay = 0.5
    assert "did not answer within 0.1 seconds" in str(refused(OpenAIImages("gpt-image-2", timeout=0.1), caplog))
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{free_port()}/v1")
    assert "cannot be reached" in str(refused(OpenAIImages("gpt-image-2"), caplog))


def bomb() -> bytes:
    """A PNG that says it is 20,000 x 20,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (20_000).to_bytes(4, "big") * 2
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x01\0\0\0\0") + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>not JSON</html>",
        b"{}",
        b"[]",
        b'{"data": []}',
        b'{"data": [{}]}',
        b'{"data": [{"url": "http://169.254.169.254/latest"}]}',
        b'{"data": [{"b64_json": "?!"}]}',
        painted(file=b""),
        painted(file=b"GIF89a"),
        painted(file=bomb()),
    ],
    ids=["HTML", "empty", "list", "no data", "no picture", "address", "no base64", "no bytes", "broken", "bomb"],
)
def test_nonsense_is_no_picture(body: bytes, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.answer(200, body)
    assert (
        str(refused(OpenAIImages("gpt-image-2"), caplog)) == "The service answered with something that is no picture."
    )
    assert len(service.asked) == 1


def test_it_needs_a_key_and_the_name_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(EngineError, match="needs a key: put it into the environment as OPENAI_API_KEY"):
        open_engines(["openai"], cpu, "sd-mini", print)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    engines = open_engines(["openai", "openai:dall-e-2"], cpu, "sd-mini", print)
    assert list(engines) == [*(f"openai/{model}" for model in MODELS), "openai/dall-e-2"]
    assert KEY not in repr([vars(engine) for engine in engines.values()])
    with pytest.raises(EngineError, match="is not the name of a model"):
        open_engines(["openai:../x"], cpu, "sd-mini", print)
    with pytest.raises(EngineError, match="Two engines are called openai/dall-e-2"):
        open_engines(["openai:dall-e-2"] * 2, cpu, "sd-mini", print)
