"""Every benchmark by one command, one after another, as one Markdown table on the standard output.

python benchmarks/all.py [NAME ...]

Some five minutes on two CPU cores; with names, as `start` and `crowd`, only these. What a benchmark says itself is
in the table line by line; one that fails says so, the others go on, and the exit code is 1.
"""

import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMANDS = {
    "start": ["benchmarks/start.py", "5"],
    "latency": ["benchmarks/latency.py", "40"],
    "previews": ["benchmarks/previews.py", "10"],
    "crowd": ["benchmarks/crowd.py", "100"],
    "srresnet": ["-m", "benchmarks.srresnet", "10"],
    "app": ["-m", "benchmarks.memory", "app"],
    "upscale": ["-m", "benchmarks.memory", "upscale"],
    "style": ["-m", "benchmarks.memory", "style"],
    "training": ["benchmarks/training.py", "--steps", "4", "--warm-up", "1"],
}


def say(*cells: str) -> None:
    print(f"| {' | '.join(' '.join(cell.replace('|', ' ').split()) for cell in cells)} |", flush=True)  # noqa: T201


def main(names: list[str]) -> int:
    if unknown := set(names) - set(COMMANDS):
        sys.exit(f"There is no benchmark {', '.join(sorted(unknown))}; choose of {', '.join(COMMANDS)}.")
    failed = 0
    say(f"{datetime.now(UTC):%Y-%m-%d}", f"{os.cpu_count()} CPU cores, {platform.machine()}, {platform.system()}")
    say("---", "---")
    for name in names or COMMANDS:
        begin = time.monotonic()
        command = COMMANDS[name]
        result = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
        told = [line for line in result.stdout.splitlines() if line.strip(" |-")]
        if result.returncode:
            failed = 1
            told.append(f"failed: {(result.stderr.strip() or 'no reason given').splitlines()[-1]}")
        say(f"`python {' '.join(command)}`", f"{time.monotonic() - begin:.0f} s")
        for line in told:
            say("", line)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
