"""A real HTTP server on loopback that speaks the Images API, as far as a client that paints needs it."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from e2e.visiting import encoded, photo

__all__ = ["KEY", "Service", "images_api"]

KEY = "sk-test-0123456789abcdefghijklmnop"


def painted(count: int = 1, file: bytes | None = None) -> bytes:
    """An answer with pictures of 24x16, or with this file in their place."""
    files = [file if file is not None else encoded(photo(24, 16).rotate(180 * i)) for i in range(count)]
    return json.dumps(
        {"created": 1, "data": [{"b64_json": base64.b64encode(each).decode()} for each in files]}
    ).encode()


def refusal(code: str, message: str) -> bytes:
    return json.dumps({"error": {"code": code, "type": "invalid_request_error", "message": message}}).encode()


@dataclass
class Service:
    """What it answers, one after the other and then always the last, and what it was asked."""

    url: str
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    delay: float = 0.0

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.answers.append((status, headers, body))


@contextmanager
def images_api() -> Iterator[Service]:
    """Without any `answer` it paints what it is asked for, unless the prompt says `forbidden`."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            service.asked.append({"path": self.path, **asked})
            service.keys.add(self.headers["Authorization"])
            time.sleep(service.delay)
            if service.answers:
                status, headers, body = service.answers[0] if len(service.answers) == 1 else service.answers.pop(0)
            elif "forbidden" in asked["prompt"]:
                status, headers, body = 400, {}, refusal("moderation_blocked", f"Blocked. Your key was {KEY}.")
            else:
                status, headers, body = 200, {}, painted(asked["n"])
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(body)),
                **headers,
            }.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service = Service(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
