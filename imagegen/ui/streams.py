"""The stream by which a page hears all answers, kept open for a moment after the last of them.

Gradio ends it with the last answer, and the page opens another when it asks again. What the page asks while word of the
end is still on its way, which over a public link takes long, would never be answered: it goes on to listen to a stream
that has ended. Kept open, the stream also saves each next move of a slider a request.
"""

import asyncio
from urllib.parse import parse_qs

import gradio as gr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["LINGER", "KeptOpen"]

LINGER = 2.0  # seconds
END = b'"msg":"close_stream"'
"""Gradio's word that the stream ends."""


class KeptOpen:
    """ASGI middleware that holds back the end of a page's stream, and goes on where the page asks meanwhile."""

    def __init__(self, app: ASGIApp, blocks: gr.Blocks) -> None:
        self.app = app
        self.blocks = blocks
        self.asked = asyncio.Event()
        """Set, and replaced, when any page has asked for something."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].rstrip("/") if scope["type"] == "http" else ""
        await (self._listen if path.endswith("/queue/data") else self.app)(scope, receive, send)
        if path.endswith("/queue/join"):
            self.asked.set()
            self.asked = asyncio.Event()

    async def _listen(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        begun, end = False, None

        async def forward(message: Message) -> None:
            nonlocal begun, end
            if END in message.get("body", b""):
                end = message
            elif end is None and not (begun and message["type"] == "http.response.start"):
                begun = True
                await send(message)

        await self.app(dict(scope), receive, forward)
        while end is not None and await self._asks_again(session, receive):
            end = None
            await self.app(dict(scope), receive, forward)
        if end is not None:
            await send(end)
            await send({"type": "http.response.body"})

    async def _asks_again(self, session: str, receive: Receive) -> bool:
        """Whether the page asks for more before it has been silent for `LINGER`, or is gone."""
        gone = asyncio.ensure_future(_gone(receive))
        deadline = asyncio.get_running_loop().time() + LINGER
        try:
            while not self._under_way(session):
                left = deadline - asyncio.get_running_loop().time()
                asked = asyncio.ensure_future(self.asked.wait())
                await asyncio.wait({asked, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                asked.cancel()
                if gone.done() or (left <= 0 and not self._under_way(session)):
                    return False
            return True
        finally:
            gone.cancel()

    def _under_way(self, session: str) -> bool:
        return bool(self.blocks._queue.pending_event_ids_session.get(session))


async def _gone(receive: Receive) -> None:
    """Wait until the page is closed, or lost."""
    while (await receive())["type"] != "http.disconnect":
        pass
