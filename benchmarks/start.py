"""How long from `python app.py` to the first page served, next to the least that Gradio can do.

python benchmarks/start.py [ROUNDS]

The two are started in turn, each in a process of its own; the medians and their ratio are printed.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).parents[1]
BARE = """
import os
import gradio as gr

with gr.Blocks(title="bare", analytics_enabled=False) as blocks:
    gr.Button("Press")
blocks.launch(server_port=int(os.environ["PORT"]), quiet=True, ssr_mode=False)
"""
APPS = {"app.py": (["app.py"], b"ImageGen from Zero"), "bare": (["-c", BARE], b"Press")}
PATIENCE = 120  # seconds for one start
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def is_served(url: str, content: bytes) -> bool:
    try:
        with DIRECT.open(url, timeout=PATIENCE) as response:
            return content in response.read()
    except urllib.error.URLError:
        return False


def seconds_to_page(command: list[str], content: bytes) -> float:
    """Seconds from starting the process to having read a page with `content` in it."""
    port = free_port()
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port), "HOST": "127.0.0.1"},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not is_served(f"http://127.0.0.1:{port}/", content):
            if process.poll() is not None or time.perf_counter() - begin > PATIENCE:
                sys.exit(f"{command[0]} served no page with {content!r}.")
            time.sleep(0.01)
        return time.perf_counter() - begin
    finally:
        process.terminate()
        process.wait()


def main(rounds: int) -> None:
    seconds: dict[str, list[float]] = {name: [] for name in APPS}
    for _ in range(rounds):
        for name, app in APPS.items():
            seconds[name].append(seconds_to_page(*app))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    for name, taken in seconds.items():
        print(f"{name:8} {medians[name]:6.2f} s   ({min(taken):.2f} to {max(taken):.2f}, {rounds} starts)")  # noqa: T201
    print(f"ratio    {medians['app.py'] / medians['bare']:6.2f}")  # noqa: T201


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
