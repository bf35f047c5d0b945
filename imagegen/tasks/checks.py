"""Checks of what a request asks for, used in `__post_init__` whatever door the request came through."""

from imagegen.devices import SEEDS
from imagegen.errors import InputError

__all__ = ["number", "seed", "settle", "whole"]


def whole(name: str, value: object, low: int, high: int) -> int:
    """A whole number from `low` to `high`; 7.0 counts as 7, and true, "7", 7.5 and NaN are refused.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError("{name} must be a whole number from {low} to {high}.", name=name, low=low, high=high)
    return value


def number(name: str, value: object, low: float, high: float) -> float:
    """A finite number from `low` to `high`.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError("{name} must be a number from {low:g} to {high:g}.", name=name, low=low, high=high)
    return float(value)


def seed(value: object, name: str = "seed") -> int:
    return whole(name, value, 0, SEEDS - 1)


def settle(request: object, **checked: object) -> None:
    """Put checked values into a frozen request."""
    for name, value in checked.items():
        object.__setattr__(request, name, value)
