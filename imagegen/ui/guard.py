"""What reaches Gradio at all: requests from this app's own page, of bounded size, naming its own files only.

Gradio alone accepts any Host (so a foreign site can reach an app on localhost by DNS rebinding), stores
uploads posted by other sites, reads bodies of any size, and fetches or decodes whatever URL stands where
an API call should name an uploaded file. Here, in one place, all of that is refused before Gradio sees it.
"""

import ipaddress
import json
import logging
import re
import shutil
import traceback
from collections.abc import Set
from pathlib import Path

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imagegen.images import MAX_FILE_BYTES

__all__ = ["MAX_CALL_BYTES", "MAX_UPLOAD_BYTES", "Guard", "replay"]

MAX_CALL_BYTES = 2**20  # body of an API call; pictures are uploaded, never part of a call
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 2**16  # body of an upload: one file and its form fields
MIN_FREE_BYTES = 2**30  # of the disk, below which no upload is taken
MAX_SESSION_CHARACTERS = 64  # of the name that a page gives its session, which Gradio keeps
log = logging.getLogger(__name__)
HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d+)?", re.IGNORECASE)


class Guard:
    """ASGI middleware that answers 403, 400, 413 or 507 with {"detail": message} and passes on everything else.

    `hosts` are the names that the app answers for, beside loopback, in lower case; the set may grow while
    serving (a share link gets its name late). `uploads` is the folder that an API call may name files in.
    """

    def __init__(self, app: ASGIApp, hosts: Set[str], uploads: Path) -> None:
        self.app = app
        self.hosts = hosts
        self.uploads = uploads.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        answered = False

        async def answer(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            self._check_sender(Headers(scope=scope))
            if scope["type"] == "http":
                receive = await self._check_request(scope, receive)
            return await self.app(scope, receive, answer)
        except ClientDisconnect:
            return None
        except HTTPException as refusal:
            response = JSONResponse({"detail": refusal.detail}, refusal.status_code)
            return await response(scope, receive, send)
        except OSError as problem:  # an upload, and the disk is full or read-only
            if answered:
                raise
            log.warning("Could not write for %r: %s", scope["path"], problem.strerror)
            detail = f"No file could be written here ({problem.strerror}), so no picture can be taken."
            return await JSONResponse({"detail": detail}, 507)(scope, receive, send)
        except Exception as problem:  # Gradio's way to say that there is no such endpoint, or an argument is missing
            if answered:
                raise
            where = "".join(traceback.format_tb(problem.__traceback__))  # code only: no word of the visitor's
            log.warning("Refused a request to %r: %r\n%s", scope["path"], problem, where)
            detail = "There is no such endpoint, or an argument of it is missing; see the page's list of endpoints."
            return await JSONResponse({"detail": detail}, 400)(scope, receive, send)

    def _check_sender(self, headers: Headers) -> None:
        """The Host, and where a proxy names it the forwarded one, is ours; an Origin is one of these."""
        forwarded = ",".join(headers.getlist("x-forwarded-host")).split(",")
        names = headers.getlist("host") + [name.strip() for name in forwarded if name.strip()]
        for name in names or ["(none)"]:
            if not self._is_ours(name):
                hint = f"Start it with --allowed-host {name.partition(':')[0]} if it should."
                raise HTTPException(403, f"This app does not answer for the host {name}. {hint}")
        own_origins = [name.lower() for name in names]
        for origin in headers.getlist("origin"):
            if origin.lower().partition("://")[2] not in own_origins:
                raise HTTPException(403, "This app takes requests from its own page only, not from other sites.")

    def _is_ours(self, host: str) -> bool:
        match = HOST.fullmatch(host)
        if not match:
            return False
        name = (match[1] or match[2]).lower()
        return name in self.hosts or name == "localhost" or _is_loopback(name)

    async def _check_request(self, scope: Scope, receive: Receive) -> Receive:
        """Check path and body; returns what the app shall receive from."""
        if scope["path"].endswith("/deep_link"):
            raise HTTPException(403, "Links of this app carry a recipe; nothing is stored for them.")
        if "://" in scope["path"]:
            raise HTTPException(403, "This app serves its own files only and fetches nothing from elsewhere.")
        if scope["method"] != "POST":
            return receive
        is_upload = scope["path"].rstrip("/").endswith("/gradio_api/upload")
        limit = MAX_UPLOAD_BYTES if is_upload else MAX_CALL_BYTES
        too_large = f"The request is larger than the maximum allowed size of {limit} bytes."
        if int(Headers(scope=scope).get("content-length", 0)) > limit:
            raise HTTPException(413, too_large)
        receive = _at_most(limit, receive, MultiPartException(too_large))
        if is_upload:
            if shutil.disk_usage(self.uploads).free < MIN_FREE_BYTES:
                raise HTTPException(
                    507, "The disk here is all but full, so no picture can be taken; try again in an hour."
                )
            return receive  # Gradio answers the exception with 413 too, and removes what it had written
        try:
            body = await Request(scope, receive).body()
        except MultiPartException as error:
            raise HTTPException(413, error.message) from error
        self._check_files(body)
        return replay(body, receive)

    def _check_files(self, body: bytes) -> None:
        """Refuse file objects that are not files uploaded to this app: URLs, data: URLs, other folders."""
        try:
            todo = [json.loads(body)]
        except RecursionError as error:
            raise HTTPException(400, "The request is nested too deeply.") from error
        except ValueError:
            return  # a form or nonsense: no file object will be read from it
        while todo:
            item = todo.pop()
            if isinstance(item, dict):
                if len(str(item.get("session_hash"))) > MAX_SESSION_CHARACTERS:
                    raise HTTPException(400, f"A session_hash has at most {MAX_SESSION_CHARACTERS} characters.")
                if not self._is_own_file(item.get("path"), item.get("url")):
                    raise HTTPException(
                        400, "Upload the picture first: files are named by the path that an upload returned."
                    )
                todo.extend(item.values())
            elif isinstance(item, list):
                todo.extend(item)

    def _is_own_file(self, path: object, url: object) -> bool:
        """Also true for what names no file. Gradio's page repeats the file's address as `url`."""
        if not path and not url:
            return True
        if not isinstance(path, str) or not isinstance(url, str | None):
            return False
        if url and not url.startswith(("http://", "https://", "/")):
            return False
        try:
            return Path(path).resolve().is_relative_to(self.uploads)
        except (OSError, ValueError):  # a NUL byte, a loop of links
            return False


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _at_most(limit: int, receive: Receive, error: Exception) -> Receive:
    """`receive`, raising `error` once the body has grown past `limit` bytes, whatever its headers said."""
    left = limit

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise error
        return message

    return counted


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out the body that was read already, then goes on as before."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
