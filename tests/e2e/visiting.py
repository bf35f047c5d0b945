"""The app in a process of its own, and its HTTP API as a program without our client would use it."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple
from uuid import uuid4

import httpx
import numpy as np
from PIL import Image, ImageDraw
from serving import GREETING, ROOT, free_port

CHECKPOINTS = ROOT / "checkpoints"
PATIENCE = 180  # seconds for the app to start, and to stop
JSON = {"Content-Type": "application/json"}
NAN, INF = float("nan"), float("inf")
NO_NUMBERS: list[Any] = [NAN, True, "10", -1, 10**400, INF, -INF, "", -(10**400), 1e300, [1], {"a": 1}]
"""What no limit allows; JSON in the wild holds all of it."""


@dataclass(frozen=True)
class App:
    """A running app: its address without a slash, the file that holds all it has printed, and its process."""

    url: str
    log: Path
    pid: int

    def http(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=f"{self.url}/gradio_api", trust_env=False, timeout=30, headers=headers)


@contextmanager
def running(
    log: Path,
    checkpoints: Path = CHECKPOINTS,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = ("app.py",),
) -> Iterator[App]:
    """`python app.py`, or another program with its flags; in the end it is told to stop and must do so cleanly."""
    command = [sys.executable, *program, "--port", str(free_port()), "--checkpoints", str(checkpoints)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "GRADIO_TEMP_DIR": str(log.with_suffix(".uploads")), **(env or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield App(_greeting(process, log), log, process.pid)
    finally:
        process.terminate()
        code = process.wait(timeout=PATIENCE)
        assert code == 0, f"exit code {code}:\n{log.read_text()}"


def _greeting(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if line.startswith(GREETING):
                return line.removeprefix(GREETING).strip().rstrip("/")
        time.sleep(0.05)
    raise AssertionError(f"the app did not start:\n{log.read_text()}")


@contextmanager
def slowed(app: App) -> Iterator[None]:
    """The app gets a tenth of the time: nothing that it computes is over before a visitor can stop it."""
    over = Event()

    def hold() -> None:
        while not over.wait(0.01):
            os.kill(app.pid, signal.SIGSTOP)
            time.sleep(0.09)
            os.kill(app.pid, signal.SIGCONT)

    thread = Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


class Answer(NamedTuple):
    """How a call ended: `complete` with its outputs, or `error` or an HTTP status with a message."""

    event: str
    data: Any

    @property
    def message(self) -> str:
        found = self.data.get("error", self.data.get("detail")) if isinstance(self.data, dict) else None
        return str(found or "")


def assert_refused(answer: Answer, *words: str) -> None:
    """With a message for people that holds these words."""
    assert answer.event == "error" or 400 <= int(answer.event) < 500, answer
    assert answer.message
    assert "Traceback" not in answer.message
    for word in words:
        assert word in answer.message


GRADIOS_OWN = ("didn't receive enough input values", "gradio.exceptions.Error: ")
"""Refusals that Gradio words for the visitor, and logs with a traceback."""


def faults(log: str) -> list[str]:
    """Tracebacks in it that are no refusals."""
    tracebacks = log.split("Traceback (most recent call last):")[1:]
    return [said for said in tracebacks if not any(own in said for own in GRADIOS_OWN)]


def call(http: httpx.Client, name: str, data: object, **headers: str) -> Answer:
    """A named endpoint; `data` may hold NaN and integers of any size, as JSON in the wild does."""
    joined = http.post(f"/call/{name}", content=json.dumps({"data": data}), headers={**JSON, **headers})
    if joined.status_code != 200:
        return Answer(str(joined.status_code), joined.json())
    stream = http.get(f"/call/{name}/{joined.json()['event_id']}").text
    event, content = stream.strip().split("\n\n")[-1].split("\n")
    return Answer(event.removeprefix("event: "), json.loads(content.removeprefix("data: ")))


def sample(http: httpx.Client, **values: object) -> Answer:
    """`/gan_sample` with its documented defaults."""
    defaults = {"digit": None, "second_digit": None, "mix": 0, "count": 25, "seed": 0, "truncation": 1}
    return call(http, "gan_sample", list({**defaults, "directions": [], **values}.values()))


def sheet(http: httpx.Client, answer: Answer) -> bytes:
    """The PNG of a `/gan_sample`."""
    return http.get(answer.data[0]["url"]).content


def score(http: httpx.Client, file: bytes, name: str = "digit.png", digit: object = None) -> Answer:
    """`/gan_score` of an uploaded file."""
    return call(http, "gan_score", [upload(http, file, name), digit])


def upload(http: httpx.Client, file: bytes, name: str = "picture.png") -> dict[str, object]:
    """A file as a call names it."""
    return file_at(http.post("/upload", files={"files": (name, file)}).json()[0])


def file_at(path: object, **fields: object) -> dict[str, object]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **fields}


@lru_cache(maxsize=8)
def page_of(http: httpx.Client) -> dict[str, Any]:
    """Gradio's description of the page: its components and events."""
    page: dict[str, Any] = http.get(f"{str(http.base_url).removesuffix('gradio_api/')}config").json()
    return page


class Visit:
    """One browser tab as the queue sees it: events that only the page uses, by name."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http
        self.session = uuid4().hex
        self.events = {event["api_name"]: event["id"] for event in page_of(http)["dependencies"]}

    def join(self, name: str, data: list[object]) -> str:
        """Queue an event; returns its id."""
        return str(self.http.post("/queue/join", content=self.asking(name, data), headers=JSON).json()["event_id"])

    def asking(self, name: str, data: list[object]) -> str:
        """What queues an event."""
        return json.dumps({"data": data, "fn_index": self.events[name], "session_hash": self.session})

    def messages(self) -> Iterator[dict[str, Any]]:
        """What the server tells this tab, until the event that it has queued is over."""
        with self.http.stream("GET", "/queue/data", params={"session_hash": self.session}) as response:
            lines = (line for line in response.iter_lines() if line.startswith("data: "))
            for message in (json.loads(line.removeprefix("data: ")) for line in lines):
                yield message
                if message["msg"] == "process_completed":
                    return

    def cancel(self, name: str, event_id: str) -> None:
        body = {"session_hash": self.session, "fn_index": self.events[name], "event_id": event_id}
        self.http.post("/cancel", json=body)


def digit_picture(*, seven: bool = False) -> Image.Image:
    """Dark ink on white, 200 by 200: a one, or a seven, which is no longer one when turned or mirrored."""
    picture = Image.new("L", (200, 200), 255)
    stroke = [(55, 45), (145, 45), (85, 165)] if seven else [(100, 30), (100, 170)]
    ImageDraw.Draw(picture).line(stroke, fill=0, width=18, joint="curve")
    return picture


def photo(width: int, height: int) -> Image.Image:
    """Coloured clouds, the same at every call."""
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
