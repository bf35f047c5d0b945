"""Many mixed requests of several visitors one after another: all are answered, and nothing piles up."""

import random
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from e2e.endpoints import ENDPOINTS, NUMBERS, ask
from e2e.tiny import Tiny
from e2e.visiting import NAN, Answer, assert_refused
from reliability.how_many import how_many

VISITORS = 3
ALL = sorted(ENDPOINTS)
FIRST, REQUESTS = how_many(len(ALL), 100), how_many(28, 1_000)
GROWTH = 1.1
"""Memory after all requests over that after the first ones; the app's own tabs and networks are there by then."""


@pytest.mark.usefixtures("works_afterwards")
def test_mixed_requests_are_all_answered_and_nothing_piles_up(tiny: Tiny) -> None:
    """One in five is refused, for a number that is none."""
    chance = random.Random(0)
    app = psutil.Process(tiny.app.pid)

    def visit(number: int) -> tuple[str, bool, Answer]:
        name = ALL[number % len(ALL)]
        fields = [field for endpoint, field in NUMBERS if endpoint == name]
        bad = bool(fields) and number % 5 == 0
        values = {fields[number % len(fields)]: NAN} if bad else {}
        with tiny.app.http() as http:
            http.timeout = httpx.Timeout(120)
            return name, bad, ask(http, name, **values)

    def round_of(numbers: list[int]) -> tuple[int, int]:
        chance.shuffle(numbers)
        with ThreadPoolExecutor(VISITORS) as pool:
            for name, bad, answer in pool.map(visit, numbers):
                if bad:
                    assert_refused(answer)
                else:
                    assert answer.event == "complete", (name, answer)
        return app.memory_info().rss, app.num_threads()

    memory, threads = round_of(list(range(FIRST)))
    memory_after, threads_after = round_of(list(range(REQUESTS)))
    assert memory_after < GROWTH * memory, f"{memory / 2**20:.0f} MB became {memory_after / 2**20:.0f}"
    assert threads_after - threads <= 8
