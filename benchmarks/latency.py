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
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from start import ROOT, free_port

BARE = """
import json, os, sys
from pathlib import Path
import gradio as gr

folder = Path(sys.argv[1])
with gr.Blocks(analytics_enabled=False) as blocks:
    for path in folder.glob("*.png"):
        gr.Number(0).input(lambda value, path=path: path, gr.Number(0), gr.Image(format="png"), api_name=path.stem)
    for path in folder.glob("*.json"):
        stored = path.read_text()
        outputs = [gr.HTML() for _ in json.loads(stored)]
        gr.Slider(-4, 4, 0).input(lambda value, s=stored: json.loads(s), gr.Slider(), outputs, api_name=path.stem)
blocks.queue().launch(server_port=int(os.environ["PORT"]), allowed_paths=[folder], quiet=True, ssr_mode=False)
"""
PATIENCE = 120  # seconds for a start
SETTLED = 20  # seconds, after which the app has loaded in the background what other tabs will need
PICTURES = {
    "GAN, 1 digit": ("gan_sample", [None, None, 0, 1, 0, 1, []]),
    "GAN, 25 digits": ("gan_sample", [None, None, 0, 25, 0, 1, []]),
    "VAE, a place on both maps": ("vae_decode", [[0.5, -0.5], "vae-mnist-2d"]),
}
"""Events of the API that return a picture."""
SLIDERS = {"GAN, 30 digits": "draw", "VAE, a moved picture": "shift"}
"""Events of the page's sliders."""
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
        raise RuntimeError(f"{name} was refused.")

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
def running(url: str, job: str, data: list[Any]) -> Iterator[None]:
    """A page that starts one job after another."""
    over = threading.Event()

    def run() -> None:
        server = Server(url)
        while not over.is_set():
            server.event(job, list(data))

    thread = threading.Thread(target=run)
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


def beside(title: str, url: str, slide: Call, job: str, data: list[Any], calls: int) -> None:
    """Blocks of slides alone and beside a job that runs on and on, in turn."""
    alone: list[float] = []
    busy: list[float] = []
    for _ in range(4):
        alone += [milliseconds(slide) for _ in range(calls // 4)]
        with running(url, job, data):
            time.sleep(0.5)
            busy += [milliseconds(slide) for _ in range(calls // 4)]
    a, b = statistics.median(busy), statistics.median(alone)
    print(f"{title:38} {a:7.1f} ms  alone {b:7.1f} ms   ratio {a / b:5.2f}")  # noqa: T201


def main(calls: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(serving("app.py"))
        ours = Server(url)
        for name, (event, data) in PICTURES.items():
            (folder / f"{name}.png").write_bytes(ours.picture(event, data))
        slides = {name: (event, ours.defaults(event)) for name, event in SLIDERS.items()}
        for name, (event, data) in slides.items():
            (folder / f"{name}.json").write_text(json.dumps(ours.event(event, data)))
        bare = Server(stack.enter_context(serving("-c", BARE, str(folder))))
        time.sleep(SETTLED)
        for name, (event, data) in PICTURES.items():
            compare(f"API, {name}", partial(ours.picture, event, data), partial(bare.picture, name, [0]), calls)
        for name, (event, data) in slides.items():
            compare(f"page, {name}", partial(ours.event, event, data), partial(bare.event, name, [0]), calls)
        longest_walk, long_run = [3, 8, 0, 1, 60], ours.defaults("stream")
        long_run[long_run.index(20)] = 100  # steps
        slide = partial(ours.event, *slides["GAN, 30 digits"])
        beside("page, GAN slider beside a walk", url, slide, "walk", longest_walk, calls)
        beside("page, GAN slider beside a diffusion run", url, slide, "stream", long_run, calls)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
