"""How the app stands a crowd: so many users at once, each with a few different requests and seeds of their own.

python benchmarks/crowd.py [USERS]

Everybody starts at the same moment and asks over raw HTTP, as a program would. It is printed how many requests were
answered, how many refused because the queue was full, and how many failed. Then one user alone asks the same again:
an answer that differs was swapped, one without a picture was lost. The exit code is 1 if there was any of these.
"""

import hashlib
import json
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import NamedTuple

import httpx
from latency import serving

PATIENCE = 180  # seconds for one answer
MAX_USERS = 200


def requests_of(user: int) -> dict[str, list[object]]:
    """Two short ones and two that stream, which only this user asks."""
    return {
        "gan_sample": [user % 10, None, 0, 4, user, 1, []],
        "vae_decode": [[(user % 20) / 5 - 2, (user // 20) / 5 - 2], "vae-mnist-2d"],
        "diffuse_sample": ["ddpm-mnist", user % 10, [], [], 1, user, "unipc", 2, 1.25, 0],
        "text_to_image": ["a smiling woman", "", 1, user, "ddim", 2, 4, "sd-mini", "auto"],
    }


class Outcome(NamedTuple):
    """`answered`, `busy` or what went wrong, with the picture's SHA-256, after so many seconds."""

    kind: str
    picture: str
    seconds: float


def ask(http: httpx.Client, name: str, data: list[object]) -> Outcome:
    begin = time.perf_counter()
    kind, picture = "answered", ""
    try:
        joined = http.post(f"/gradio_api/call/{name}", json={"data": data})
        if joined.status_code == 503:
            kind = "busy"
        else:
            stream = http.get(f"/gradio_api/call/{name}/{joined.raise_for_status().json()['event_id']}").text
            event, content = stream.strip().split("\n\n")[-1].split("\n")
            if event == "event: complete":
                file = http.get(json.loads(content.removeprefix("data: "))[0]["url"]).raise_for_status().content
                picture = hashlib.sha256(file).hexdigest()
            else:
                kind = f"{event} {content}"
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as problem:
        kind = repr(problem)
    return Outcome(kind, picture, time.perf_counter() - begin)


def visit(url: str, user: int, start: Barrier) -> dict[str, Outcome]:
    with httpx.Client(base_url=url, trust_env=False, timeout=PATIENCE) as http:
        start.wait()
        return {name: ask(http, name, data) for name, data in requests_of(user).items()}


def main(users: int) -> int:
    with serving("app.py") as url:
        nobody = Barrier(1)
        visit(url, users, nobody)  # so that every network is loaded
        start, begin = Barrier(users), time.perf_counter()
        with ThreadPoolExecutor(users) as pool:
            crowd = list(pool.map(lambda user: visit(url, user, start), range(users)))
        seconds = time.perf_counter() - begin
        again = [visit(url, user, nobody) for user in range(users)]
    kinds: Counter[str] = Counter()
    waits, swapped = [], 0
    for first, second in zip(crowd, again, strict=True):
        for name, outcome in first.items():
            kinds[outcome.kind] += 1
            if outcome.kind == "answered":
                waits.append(outcome.seconds)
                swapped += outcome.picture != second[name].picture
    failed = kinds.total() - kinds["answered"] - kinds["busy"]
    distinct = len({outcome.picture for answers in again for outcome in answers.values()})
    print(f"users at once            {users:6}   {kinds.total()} requests in {seconds:.1f} s")  # noqa: T201
    print(f"answered                 {kinds['answered']:6}   {distinct} different pictures asked for")  # noqa: T201
    print(f"refused as busy          {kinds['busy']:6}   503, at once")  # noqa: T201
    print(f"errors                   {failed:6}")  # noqa: T201
    print(f"unlike one user's answer {swapped:6}   swapped or lost")  # noqa: T201
    if waits:
        print(f"seconds to an answer     {statistics.median(waits):6.1f}   median, {max(waits):.1f} at most")  # noqa: T201
    for kind, times in kinds.items():
        if kind not in ("answered", "busy"):
            print(f"{times} x {kind[:200]}")  # noqa: T201
    return int(bool(failed or swapped or not waits))


if __name__ == "__main__":
    sys.exit(main(min(int(sys.argv[1]), MAX_USERS) if len(sys.argv) > 1 else 100))
