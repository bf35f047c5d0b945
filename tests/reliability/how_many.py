"""How much of each test is done: a fixed slice in `make test`, all of it in `make reliability`."""

import os

__all__ = ["FULL", "how_many"]

FULL = "IMAGEGEN_FULL" in os.environ


def how_many(slice_: int, full: int) -> int:
    return full if FULL else slice_
