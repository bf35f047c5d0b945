"""What an app that is open to everyone allows: how often a visitor may ask, and how long a run may be.

A visitor is a page, by the session that it names, and an address. A session is what the visitor says it is, so that it
counts for little; the address is the one from which the nearest proxy was reached (see `launch`), whatever a visitor
writes into `X-Forwarded-For`. Many may share one address, as a class does, which therefore may ask more often.
"""

import inspect
import ipaddress
import json
import math
import time
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imagegen.errors import InputError
from imagegen.tasks import checks
from imagegen.ui.guard import replay
from imagegen.ui.language import explain, visitor_language

__all__ = ["MAX_QUEUE", "Gate", "Limits", "hold_to"]

MAX_QUEUE = 64  # requests that may wait; beyond it a visitor is told that the app is busy
MINUTE = 60.0


@dataclass(frozen=True)
class Limits:
    """Of an app that is open to everyone."""

    runs: int = 12  # that a page may start in a minute
    moves: int = 1200  # short requests of a page in a minute: a slider that is dragged sends some twenty a second
    pages: int = 5  # whose runs and moves one address may use up
    steps: int = 50  # of a run of diffusion, words or editing
    count: int = 32  # pictures at once
    iterations: int = 200  # of the slow style transfer
    size: int = 1024  # pixels of the longer side of what is painted


def hold_to(limits: Limits, blocks: gr.Blocks) -> None:
    """Whatever this process computes from now on keeps to `limits`, and the page's sliders end there."""
    largest = {name: getattr(limits, name) for name in ("steps", "count", "iterations", "size")}
    checks.CEILINGS.update(largest)
    for function in blocks.fns.values():
        names = inspect.signature(function.fn).parameters if function.fn else ()
        for name, component in zip(names, function.inputs, strict=False):
            if name in largest and isinstance(component, gr.Slider):
                component.maximum = min(component.maximum, largest[name])


class Gate:
    """ASGI middleware before the queue: 429 to who asks too often, and 503 in the visitor's words when it is full.

    Args:
        functions: the page's events and endpoints, `gr.Blocks.fns`.
        limits: None if a visitor may ask as often as he likes.
    """

    def __init__(self, app: ASGIApp, functions: Mapping[int, Any], limits: Limits | None) -> None:
        self.app = app
        self.functions = functions
        self.limits = limits
        self.minutes = Minutes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        posted = scope["type"] == "http" and scope["method"] == "POST"  # the app's start and end have no path
        path = scope["path"].rstrip("/") if posted else ""
        upload = path.endswith("/upload")
        if not (path.endswith("/queue/join") or "/call/" in path or upload):
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        language = visitor_language(request)

        async def refuse(problem: InputError, status: int, seconds: int) -> None:
            headers = {"Retry-After": str(seconds)}
            response = JSONResponse({"detail": explain(problem, language)}, status, headers)
            await response(scope, receive, send)

        body = b"" if upload else await request.body()  # a picture's is not held here
        if self.limits and (found := self._too_often(self.limits, path, body, scope)):
            return await refuse(*found)
        if upload:
            return await self.app(scope, receive, send)
        full = False

        async def answer(message: Message) -> None:
            nonlocal full
            if message["type"] == "http.response.start" and message["status"] == 503:
                full = True
                busy = InputError(
                    "The queue is full: {limit} requests are waiting already. Try again in a minute.", limit=MAX_QUEUE
                )
                await refuse(busy, 503, 60)
            elif not full:
                await send(message)

        return await self.app(scope, replay(body, receive), answer)

    def _too_often(self, limits: Limits, path: str, body: bytes, scope: Scope) -> tuple[InputError, int, int] | None:
        """Count this request; the refusal if it is one too many."""
        address = network(scope)
        if path.endswith("/upload"):
            return self._one_more({("upload", address): limits.runs * limits.pages})
        try:
            asked = json.loads(body)
        except ValueError:
            asked = None
        asked = asked if isinstance(asked, dict) else {}
        live = self._is_live(path, asked)
        limit, session = limits.moves if live else limits.runs, str(asked.get("session_hash"))
        return self._one_more({(live, address): limit * limits.pages, (live, address, session): limit})

    def _one_more(self, visitors: Mapping[Hashable, int]) -> tuple[InputError, int, int] | None:
        """Count a request of each of these, who may have so many a minute."""
        now = time.monotonic()
        for visitor, most in visitors.items():
            if seconds := self.minutes.wait(visitor, most, now):
                too_often = InputError(
                    "This app is open to everyone and takes at most {limit} such requests a minute from a visitor. Try "
                    "again in {seconds} seconds.",
                    limit=most,
                    seconds=seconds,
                )
                return too_often, 429, seconds
        self.minutes.count(visitors, now)
        return None

    def _is_live(self, path: str, asked: Mapping[str, Any]) -> bool:
        """Whether it is known to be short; what is unknown counts as a run."""
        if path.endswith("/queue/join"):
            index = asked.get("fn_index")
            function = self.functions.get(index) if isinstance(index, int) else None
        else:
            name = path.rpartition("/")[2]
            function = next((each for each in self.functions.values() if each.api_name == name), None)
        return function is not None and function.concurrency_id in ("live", "click")


class Minutes:
    """How often each of many has asked in the minute that began with the first time."""

    def __init__(self) -> None:
        self.seen: dict[Hashable, tuple[float, int]] = {}
        """When it began, and how often since; the oldest first."""

    def wait(self, who: Hashable, limit: int, now: float) -> int:
        """In how many seconds to try again, if this would be more than `limit` times; else 0."""
        began, times = self.seen.get(who, (now, 0))
        return math.ceil(began + MINUTE - now) if times >= limit and now - began < MINUTE else 0

    def count(self, visitors: Iterable[Hashable], now: float) -> None:
        """Once more for each of them. Whose minute is over is forgotten."""
        while self.seen and now - next(iter(self.seen.values()))[0] >= MINUTE:
            del self.seen[next(iter(self.seen))]
        for who in visitors:
            began, times = self.seen.get(who, (now, 0))
            self.seen[who] = began, times + 1


def network(scope: Scope) -> str:
    """Whom an address belongs to: with IPv6 everybody has 2^64 of them."""
    host = str((scope.get("client") or ("unknown",))[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)
