"""The tree of errors: a template for the page to translate, and a message that a terminal can print."""

import pytest

from imagegen import errors
from imagegen.errors import ImageGenError, InputError


@pytest.mark.parametrize("name", errors.__all__)
def test_the_drawn_tree_shows_every_error(name: str) -> None:
    assert issubclass(getattr(errors, name), ImageGenError)
    assert name in (errors.__doc__ or "")


def test_the_message_is_the_template_filled_once() -> None:
    problem = InputError("Ask for 1 to {limit} pictures, not {count}.", limit=64, count="{limit}")
    assert str(problem) == "Ask for 1 to 64 pictures, not {limit}."
    assert problem.template == "Ask for 1 to {limit} pictures, not {count}."
    assert problem.values == {"limit": 64, "count": "{limit}"}
