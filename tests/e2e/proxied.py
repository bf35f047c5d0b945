"""A reverse proxy that serves an app under a path of its own, as nginx does with `proxy_pass` and no buffering."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx
import uvicorn
from e2e.visiting import PATIENCE, App
from serving import free_port
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding"}


@contextmanager
def behind(app: App, root_path: str) -> Iterator[str]:
    """Where the app is reached: an address without a slash at its end."""
    port = free_port()
    config = uvicorn.Config(_Proxy(app, root_path), host="127.0.0.1", port=port, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}{root_path}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


class _Proxy:
    def __init__(self, app: App, root_path: str) -> None:
        self.app, self.root_path = app, root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = scope["path"] == "/favicon.ico"  # which every browser asks of every host
        answer: Response = PlainTextResponse("Outside the app's path.", 200 if known else 404)
        if scope["path"].startswith(f"{self.root_path}/"):
            answer = await self._answer(Request(scope, receive), scope["path"].removeprefix(self.root_path))
        await answer(scope, receive, send)

    async def _answer(self, request: Request, path: str) -> Response:
        client = httpx.AsyncClient(trust_env=False, timeout=None)
        headers = [(name, value) for name, value in request.headers.raw if name != b"content-length"]
        headers += [(b"x-forwarded-host", request.headers["host"].encode()), (b"x-forwarded-proto", b"http")]
        url = httpx.URL(f"{self.app.url}{path}", query=request.url.query.encode())
        asked = client.build_request(request.method, url, headers=headers, content=await request.body())
        answer = await client.send(asked, stream=True)
        kept = {name: value for name, value in answer.headers.items() if name not in OF_ONE_HOP}

        async def body() -> AsyncIterator[bytes]:
            try:
                async for chunk in answer.aiter_bytes():
                    yield chunk
            except asyncio.CancelledError:  # the visitor left
                pass
            finally:
                await answer.aclose()
                await client.aclose()

        return StreamingResponse(body(), answer.status_code, kept)
