"""Apps in a process of their own, as visitors meet them: Gradio warns too much to be served inside a test."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
GREETING = "ImageGen from Zero is ready: "

# Loaded by Python before anything else: notes every address that the process wants to reach.
WATCH = """
import os, sys

def note(event, args):
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    with open(os.environ["NOTES"], "a") as notes:
        print(host, file=notes)

sys.addaudithook(note)
"""

LOOPBACK = {"127.0.0.1", "localhost", "::1", "None"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def start(*command: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "GRADIO_TEMP_DIR": tempfile.mkdtemp(prefix="uploads-"), **(env or {})},
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(*command: str, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run `python COMMAND`; yields the address that it greets with, and stops it by SIGTERM in the end."""
    with start(*command, env=env) as process:
        try:
            yield address(process)
        finally:
            process.terminate()
            assert process.wait(timeout=15) == 0


def address(process: subprocess.Popen[str]) -> str:
    """The address that the app greets with once it answers."""
    assert process.stdout
    for line in process.stdout:
        if line.startswith(GREETING):
            return line.removeprefix(GREETING).strip()
    raise AssertionError("the app ended without a greeting")
