"""A server on loopback that speaks as much of the Hub's API as `huggingface_hub` asks of it to fetch a model."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["COMMIT", "Hub", "hub"]

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """Its address, its models by id (a folder of files), those that are gated, and the files that were downloaded."""

    url: str
    models: Mapping[str, Path]
    gated: tuple[str, ...]
    downloaded: list[str] = field(default_factory=list)


@contextmanager
def hub(models: Mapping[str, Path], gated: tuple[str, ...] = ()) -> Iterator[Hub]:
    class Handler(_Handler):
        state: Hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.state = Hub(f"http://127.0.0.1:{server.server_port}", models, gated)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Handler.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Hub

    def do_GET(self) -> None:
        """`/api/models/OWNER/NAME[/revision/R]`, `/api/models/OWNER/NAME/tree/R`, and `/OWNER/NAME/resolve/R/FILE`."""
        path = unquote(urlsplit(self.path).path)
        asks = path.startswith("/api/models/")
        owner, name, *rest = path.removeprefix("/api/models").strip("/").split("/")
        revision, *file = rest[1:] or ["main"]
        model = f"{owner}/{name}"
        folder = self.state.models.get(model)
        if model in self.state.gated:
            self._refuse(403, "GatedRepo")
        elif folder is None:
            self._refuse(401, "RepoNotFound")  # as the Hub does to whoever is not signed in: it may be private
        elif revision not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        elif asks:
            sizes = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*.*")}
            siblings = [{"rfilename": name, "size": size} for name, size in sizes.items()]
            tree = [{"type": "file", "path": name, "size": size, "oid": COMMIT} for name, size in sizes.items()]
            described = tree if "tree" in rest else {"id": model, "sha": COMMIT, "siblings": siblings}
            self._answer(json.dumps(described).encode(), "application/json")
        else:
            self._hand_out(folder, "/".join(file))

    def do_HEAD(self) -> None:
        self.do_GET()

    def _hand_out(self, folder: Path, file: str) -> None:
        path = folder / file
        if not path.is_file():
            self._refuse(404, "EntryNotFound")
            return
        content = path.read_bytes()
        if self.command == "GET":
            self.state.downloaded.append(file)
        self._answer(content, "application/octet-stream", ETag=f'"{hashlib.sha1(content).hexdigest()}"')

    def _refuse(self, status: int, code: str) -> None:
        self._answer(b"{}", "application/json", status, X_Error_Code=code, X_Error_Message="in words of the Hub")

    def _answer(self, content: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Repo-Commit", COMMIT)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass
