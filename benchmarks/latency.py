"""How long a slider takes from event to picture, next to the least that Gradio can do.

python benchmarks/latency.py [CALLS]

Two apps serve side by side: app.py, and a bare one whose events return what is stored. They are asked in turn
over raw HTTP, as the page asks; medians in milliseconds and their ratios are printed.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from start import ROOT, free_port

BARE = """
import json, os, sys
import gradio as gr

folder = sys.argv[1]
widget = open(f"{folder}/widget.json").read()
with gr.Blocks(analytics_enabled=False) as blocks:
    for name in "25 digits", "1 digit":
        def stored(value, path=f"{folder}/{name}.png"):
            return path
        gr.Number(0).input(stored, gr.Number(0), gr.Image(format="png"), api_name=name.replace(" ", "_"))
    slider, sheet, story = gr.Slider(-4, 4, 0), gr.HTML(), gr.HTML()
    slider.input(lambda value: json.loads(widget), slider, [sheet, story], api_name="slider")
blocks.queue().launch(server_port=int(os.environ["PORT"]), allowed_paths=[folder], quiet=True, ssr_mode=False)
"""
PATIENCE = 120  # seconds for a start
WALK = [3, 8, 0, 60]  # digit, second digit, seed, frames: the longest that the page offers
Call = Callable[[], Any]


class Server:
    """An app in a process of its own, and one page's session with it."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        config = self.http.get("/config").json()
        self.events = {event["api_name"]: event for event in config["dependencies"]}
        self.values = {part["id"]: part["props"].get("value") for part in config["components"]}
        self.session = uuid4().hex

    def defaults(self, name: str) -> list[Any]:
        """What the page sends with an event before anything was touched."""
        return [self.values[part] for part in self.events[name]["inputs"]]

    def event(self, name: str, data: list[Any]) -> list[Any]:
        """Queue an event and wait for the outputs of its last message."""
        body = {"data": data, "fn_index": self.events[name]["id"], "session_hash": self.session}
        self.http.post("/gradio_api/queue/join", json=body).raise_for_status()
        with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if message.get("msg") == "process_completed" and message["success"]:
                    output: list[Any] = message["output"].get("data", [])
        return output

    def picture(self, name: str, data: list[Any]) -> bytes:
        """An event whose first output is a picture, and that picture."""
        return self.http.get(self.event(name, data)[0]["url"]).content


@contextmanager
def serving(*command: str) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = {**os.environ, "PORT": str(port), "HOST": "127.0.0.1"}
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command[0]} did not start.")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def walking(url: str) -> Iterator[None]:
    """A page that starts one walk after another."""
    over = threading.Event()

    def walk() -> None:
        server = Server(url)
        while not over.is_set():
            server.event("walk", list(WALK))

    thread = threading.Thread(target=walk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def milliseconds(call: Call) -> float:
    begin = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begin)


def compare(title: str, ours: Call, bare: Call, calls: int) -> None:
    """A B A B ..., after one of each to warm up."""
    ours(), bare()
    times = [(milliseconds(ours), milliseconds(bare)) for _ in range(calls)]
    a, b = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{title:38} {a:7.1f} ms   bare {b:7.1f} ms   ratio {a / b:5.2f}")  # noqa: T201


def beside_a_walk(url: str, slide: Call, calls: int) -> None:
    """Blocks of slides alone and beside walks, in turn."""
    alone: list[float] = []
    beside: list[float] = []
    for _ in range(4):
        alone += [milliseconds(slide) for _ in range(calls // 4)]
        with walking(url):
            time.sleep(0.1)
            beside += [milliseconds(slide) for _ in range(calls // 4)]
    a, b = statistics.median(beside), statistics.median(alone)
    print(f"{'slider beside a walk, over alone':38} {a:7.1f} ms  alone {b:7.1f} ms   ratio {a / b:5.2f}")  # noqa: T201


def main(calls: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(serving("app.py"))
        ours = Server(url)
        sample = {name: [None, None, 0, count, 0, 1, []] for name, count in (("25 digits", 25), ("1 digit", 1))}
        for name, data in sample.items():
            (folder / f"{name}.png").write_bytes(ours.picture("gan_sample", data))
        slide = ours.defaults("draw")
        (folder / "widget.json").write_text(json.dumps(ours.event("draw", slide)))
        bare = Server(stack.enter_context(serving("-c", BARE, str(folder))))
        for name, data in sample.items():
            compare(
                f"API, {name}: event to picture",
                lambda data=data: ours.picture("gan_sample", data),
                lambda name=name: bare.picture(name.replace(" ", "_"), [0]),
                calls,
            )
        compare("page, 30 digits: slider event to sheet", lambda: ours.event("draw", slide),
                lambda: bare.event("slider", [0]), calls)  # fmt: skip
        beside_a_walk(url, lambda: ours.event("draw", slide), calls)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
