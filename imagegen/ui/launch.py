"""Serving the page: how Gradio is started so that nothing is open, sent or kept that nobody asked for."""

import atexit
import logging
import os
import secrets
import signal
import sys
import time
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn, TypedDict, Unpack
from urllib.parse import urlsplit

import gradio as gr
from gradio import route_utils, state_holder
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from imagegen.images import MAX_FILE_BYTES
from imagegen.ui.guard import Guard
from imagegen.ui.limits import MAX_QUEUE, Gate, Limits, hold_to

__all__ = ["DELETE_CACHE", "Look", "Settings", "forget_files", "launch", "wait"]

DELETE_CACHE = (600, 3600)  # seconds: every ten minutes forget files older than an hour; for `gr.Blocks`
MAX_SESSIONS = 500  # visitors whose travelling picture is kept; the oldest is forgotten
GRACE = 2  # seconds for open streams when the app is told to stop
SHARE_USER = "imagegen"
PROXIES = "127.0.0.1,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16"


@dataclass(frozen=True)
class Settings:
    """What the command line asked for."""

    device: str = "auto"  # auto, cuda, cpu or mps
    share: bool = False  # make a public link
    auth: tuple[str, str] | None = None  # user and password that the page asks for
    public: bool = False  # open to everyone: a link without a password, and limits for each visitor
    host: str = "127.0.0.1"
    port: int = 7860
    allowed_hosts: tuple[str, ...] = ()  # names that the app answers for, beside its own
    checkpoints: Path = Path("checkpoints")
    text_to_image: tuple[str, ...] = ()  # engines beside sd-mini: DIR_OR_ID[@REVISION], openai or openai:MODEL
    lang: str = "auto"  # en, zh, or auto: as the visitor's browser asks
    mcp: bool = False  # serve the endpoints as tools of the Model Context Protocol

    @property
    def limits(self) -> Limits | None:
        """For each visitor, where anybody may come: with `public`, and in a Space."""
        return Limits() if self.public or "SPACE_HOST" in os.environ else None


class Look(TypedDict, total=False):
    """What Gradio 6 takes at launch, not with the page."""

    theme: gr.themes.Base
    head: str
    i18n: gr.I18n


class Visit(state_holder.SessionState):
    """What the server remembers of a visitor: the values of `gr.State`.

    Gradio would keep a description of the whole page besides, 0.9 MB, with all that was last shown in it, for links of
    its own kind that this app does not offer.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        empty: Any = SimpleNamespace(default_config=SimpleNamespace(blocks={}), blocks={})
        super().__init__(empty)
        self.blocks_config = copy(blocks.default_config)
        self.config_values = _Nothing()

    def _update_config(self, key: int) -> None: ...

    def _update_value_in_config(self, key: int, value: Any) -> None: ...


class _Nothing(dict[int, Any]):
    """Stays empty."""

    def __setitem__(self, key: int, value: Any) -> None: ...


class PackedPage:
    """ASGI middleware that sends the page itself compressed, 0.4 MB of 1.4; of the rest Gradio takes care."""

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.packed = app, GZipMiddleware(app, compresslevel=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = scope["type"] == "http" and scope["path"].endswith("/") and "/gradio_api/" not in scope["path"]
        await (self.packed if whole else self.app)(scope, receive, send)


def launch(blocks: gr.Blocks, settings: Settings, **look: Unpack[Look]) -> str:
    """Start serving in the background; returns what to tell whoever started the app.

    Raises OSError if the port is taken.
    """
    auth = settings.auth
    if settings.share and not settings.public and not auth:
        auth = (SHARE_USER, secrets.token_urlsafe(12))
    hosts = {name.lower() for name in (settings.host, *settings.allowed_hosts, os.environ.get("SPACE_HOST", ""))}
    _reach_own_server_directly(settings.host)
    if limits := settings.limits:
        hold_to(limits, blocks)
    if "SPACE_HOST" in os.environ:  # a Space's own proxies, whose word on where a request came from is taken
        os.environ.setdefault("FORWARDED_ALLOW_IPS", PROXIES)
    state_holder.SessionState = Visit  # type: ignore[misc]
    route_utils.delete_files_created_by_app = forget_files
    _, local_url, share_url = blocks.queue(max_size=MAX_QUEUE, api_open=False).launch(
        server_name=f"[{settings.host}]" if ":" in settings.host else settings.host,
        server_port=settings.port,
        share=settings.share,
        auth=auth,
        app_kwargs={
            "middleware": [
                Middleware(PackedPage),
                Middleware(Guard, hosts=hosts, uploads=Path(blocks.GRADIO_CACHE)),
                Middleware(Gate, functions=blocks.fns, limits=limits),
            ],
        },
        max_file_size=MAX_FILE_BYTES,
        state_session_capacity=MAX_SESSIONS,
        show_error=True,  # Gradio words its own refusals; with False their message would be empty
        enable_monitoring=False,
        run_history=False,
        mcp_server=settings.mcp,
        ssr_mode=False,
        pwa=False,
        footer_links=["api"],
        inline=False,
        prevent_thread_lock=True,
        quiet=True,
        **look,
    )
    if share_url:
        hosts.add(str(urlsplit(share_url).hostname))
    return _greeting(settings, local_url, share_url, auth)


def wait(blocks: gr.Blocks) -> NoReturn:
    """Serve until SIGTERM or Ctrl+C, then stop accepting, give what is streaming a moment to end, and exit with 0."""

    def stop(*_: Any) -> None:
        blocks.server.config.timeout_graceful_shutdown = GRACE
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # a stream cut off now is no error
        blocks.close(verbose=False)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    blocks.block_thread()
    # Python itself would be taken apart now, and PyTorch aborts where it meets that in a thread that still computes.
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(0)


def forget_files(blocks: gr.Blocks, age: float | None) -> None:
    """Remove what was uploaded or shown more than `age` seconds ago, or all of it.

    It takes the place of Gradio's, which a file that comes meanwhile ends for good: then nothing is removed any more.
    """
    kept = {file for block in blocks.blocks.values() for file in getattr(block, "keep_in_cache", ())}
    for files in blocks.temp_file_sets:
        for file in set(files) - kept:  # a copy: files may come meanwhile
            try:
                if age is None or time.time() - os.lstat(file).st_ctime > age:
                    os.remove(file)
                    files.discard(file)
            except FileNotFoundError:
                files.discard(file)
            except OSError as error:
                logging.getLogger(__name__).warning("Could not remove %s: %s", file, error)


def _reach_own_server_directly(host: str) -> None:
    """Gradio asks its own server whether it is up, which a proxy from the environment must not answer."""
    direct = [os.environ.get("no_proxy") or os.environ.get("NO_PROXY", ""), "localhost", "127.0.0.1", host]
    os.environ["no_proxy"] = ",".join(filter(None, direct))


def _greeting(settings: Settings, local_url: str, share_url: str | None, auth: tuple[str, str] | None) -> str:
    lines = [f"ImageGen from Zero is ready: {share_url or local_url}"]
    if auth and not settings.auth:
        lines.append(f"Sign in as {auth[0]} with the password {auth[1]}")
    if settings.mcp:
        lines.append(f"Tools for language models (MCP): {(share_url or local_url).rstrip('/')}/gradio_api/mcp/")
    if settings.share and not share_url:
        lines.append(
            "No share link could be made: the sharing service cannot be reached from here. To let others in, "
            "forward the port (ssh -R or your editor can) or put the app on Hugging Face Spaces."
        )
    return "\n".join(lines)
