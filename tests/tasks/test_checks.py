"""What counts as a number, whatever door it came through."""

import math
from typing import Any

import pytest

from imagegen.errors import InputError
from imagegen.tasks import checks

NO_NUMBERS = [math.nan, math.inf, -math.inf, True, False, "7", None, [7], 1j, 10**400, -(10**400)]


@pytest.mark.parametrize("value", [1, 7, 10, 7.0])
def test_whole_numbers_within_the_limits_pass(value: Any) -> None:
    checked = checks.whole("count", value, 1, 10)
    assert checked == value
    assert type(checked) is int


@pytest.mark.parametrize("value", [*NO_NUMBERS, 0, 11, 7.5, 1e300])
def test_what_is_not_a_whole_number_within_the_limits_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="count must be a whole number from 1 to 10"):
        checks.whole("count", value, 1, 10)


@pytest.mark.parametrize("value", [0, 1, 0.25, 1.0])
def test_numbers_within_the_limits_pass(value: Any) -> None:
    checked = checks.number("mix", value, 0, 1)
    assert checked == value
    assert type(checked) is float


@pytest.mark.parametrize("value", [*NO_NUMBERS, -0.001, 1.001])
def test_what_is_not_a_number_within_the_limits_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="mix must be a number from 0 to 1"):
        checks.number("mix", value, 0, 1)


@pytest.mark.parametrize("value", [(), [], [1, -2.0], (2, 2, 2)])
def test_a_list_of_numbers_within_the_limits_passes(value: Any) -> None:
    checked = checks.numbers("offsets", value, limit=3, reach=2)
    assert checked == tuple(value)
    assert type(checked) is tuple
    assert all(type(item) is float for item in checked)


@pytest.mark.parametrize("value", [(1, 1, 1, 1), 1, None, "12", {1: 2}, {1}, math.nan])
def test_what_is_no_list_or_too_long_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="offsets must be a list of at most 3 numbers"):
        checks.numbers("offsets", value, limit=3, reach=2)


@pytest.mark.parametrize("value", [*NO_NUMBERS, 2.001, -2.001])
def test_a_list_with_something_else_in_it_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="each of offsets must be a number from -2 to 2"):
        checks.numbers("offsets", [0, value], limit=3, reach=2)


@pytest.mark.parametrize("value", ["dpm++", "DPM++", "Dpm++"])
def test_a_choice_is_known_in_any_case(value: str) -> None:
    assert checks.choice("solver", value, ("ddim", "dpm++")) == "dpm++"


@pytest.mark.parametrize("value", [*NO_NUMBERS, 0, "", "ddi", "ddim ", "ddim,dpm++", ["ddim"], {"ddim": 1}, b"ddim"])
def test_what_is_not_among_the_options_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"solver must be one of ddim, dpm\+\+"):
        checks.choice("solver", value, ("ddim", "dpm++"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], ()),
        ((), ()),
        ("", ()),
        (" , ", ()),
        (["Bald"], ("Bald",)),
        ("bald", ("Bald",)),
        (" Young,BALD ,", ("Young", "Bald")),
        (("young", "Bald", "YOUNG"), ("Young", "Bald")),
    ],
)
def test_choices_are_lists_or_words_with_commas_and_each_counts_once(value: Any, expected: tuple[str, ...]) -> None:
    assert checks.choices("wanted", value, ("Bald", "Male", "Young")) == expected


@pytest.mark.parametrize("value", [["Bald"] * 4, "Bald," * 4, None, 7, True, math.nan, {"Bald": 1}, {"Bald"}, b"Bald"])
def test_what_is_no_list_of_choices_or_too_long_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="wanted must be a list of at most 3 names"):
        checks.choices("wanted", value, ("Bald", "Male", "Young"))


@pytest.mark.parametrize("value", ["Grey", "Bald;Male", ["Bald", "Grey"], [None], [1], [["Bald"]], [""]])
def test_a_list_with_something_unknown_in_it_is_refused(value: Any) -> None:
    with pytest.raises(InputError, match="each of wanted must be one of Bald, Male, Young"):
        checks.choices("wanted", value, ("Bald", "Male", "Young"))


def test_a_seed_has_32_bits() -> None:
    assert checks.seed(0) == 0
    assert checks.seed(2**32 - 1) == 2**32 - 1
    for value in (-1, 2**32, 10**400, 0.5, True):
        with pytest.raises(InputError, match="seed must be a whole number from 0 to 4294967295"):
            checks.seed(value)
    with pytest.raises(InputError, match="second_seed must be"):
        checks.seed(-1, "second_seed")


@pytest.mark.parametrize("value", [0, 1, 1.0, "true", "", None, [True], math.nan])
def test_what_is_neither_true_nor_false_is_refused(value: Any) -> None:
    assert checks.flag("shrink_first", True) is True
    assert checks.flag("shrink_first", False) is False
    with pytest.raises(InputError, match="shrink_first must be true or false"):
        checks.flag("shrink_first", value)
