"""Checks of what a request asks for, used in `__post_init__` whatever door the request came through."""

import unicodedata
from collections.abc import Sequence

from imagegen.devices import SEEDS
from imagegen.errors import InputError

__all__ = ["CEILINGS", "choice", "choices", "flag", "number", "numbers", "seed", "settle", "text", "whole", "words"]

CEILINGS: dict[str, int] = {}
"""Of whole numbers by name: what this process allows, where that is less than a request's own limit; set at start."""


def whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number from `low` to `high`; 7.0 counts as 7, and true, "7", 7.5 and NaN are refused.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError("{name} must be a whole number from {low} to {high}.", name=name, low=low, high=high)
    if value > (ceiling := CEILINGS.get(name, value)):
        raise InputError("{name} is at most {limit} while this app is open to everyone.", name=name, limit=ceiling)
    return value


def number(name: str, value: object, low: float, high: float) -> float:
    """A finite number from `low` to `high`.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError("{name} must be a number from {low:g} to {high:g}.", name=name, low=low, high=high)
    return float(value)


def numbers(name: str, value: object, limit: int, reach: float) -> tuple[float, ...]:
    """A list of at most `limit` finite numbers from -reach to reach.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, list | tuple) or len(value) > limit:
        raise InputError("{name} must be a list of at most {limit} numbers.", name=name, limit=limit)
    each = f"each of {name}"
    return tuple(number(each, item, -reach, reach) for item in value)


def choice(name: str, value: object, options: Sequence[str]) -> str:
    """One of `options`, in any case.

    Raises:
        InputError: it is something else.
    """
    known = {option.lower(): option for option in options}
    if not isinstance(value, str) or value.lower() not in known:
        raise InputError("{name} must be one of {options}.", name=name, options=", ".join(options))
    return known[value.lower()]


def choices(name: str, value: object, options: Sequence[str]) -> tuple[str, ...]:
    """Some of `options`, each at most once: a list of them, or words with commas between.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",") if word.strip()]
    if not isinstance(value, list | tuple) or len(value) > len(options):
        raise InputError("{name} must be a list of at most {limit} names.", name=name, limit=len(options))
    each = f"each of {name}"
    return tuple(dict.fromkeys(choice(each, word, options) for word in value))


def flag(name: str, value: object) -> bool:
    """True or false, and no number or word for it.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(value, bool):
        raise InputError("{name} must be true or false.", name=name)
    return value


def words(name: str, value: object, limit: int) -> tuple[str, ...]:
    """At most `limit` words in lower case: a list of them, or one text with commas between.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, str):
        value = [word.strip() for word in value.split(",", limit) if word.strip()]
    if not isinstance(value, list | tuple) or len(value) > limit or not all(isinstance(word, str) for word in value):
        raise InputError("{name} must be a list of at most {limit} names.", name=name, limit=limit)
    return tuple(word.lower() for word in value)


def seed(value: object, name: str = "seed") -> int:
    return whole(name, value, 0, SEEDS - 1)


def text(name: str, value: object, limit: int) -> str:
    """A text of at most `limit` characters, in NFC, on one line, without what is invisible or no character at all.

    Raises:
        InputError: it is longer, or something else.
    """
    if not isinstance(value, str) or len(value) > limit:
        raise InputError("{name} must be a text of at most {limit} characters.", name=name, limit=limit)
    seen = (" " if letter.isspace() else letter for letter in value)
    visible = "".join(letter for letter in seen if not unicodedata.category(letter).startswith("C"))
    return " ".join(unicodedata.normalize("NFC", visible).split())


def settle(request: object, **checked: object) -> None:
    """Put checked values into a frozen request."""
    for name, value in checked.items():
        object.__setattr__(request, name, value)
