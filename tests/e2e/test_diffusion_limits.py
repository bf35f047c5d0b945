"""What only the endpoints of the diffusion tab can be asked wrongly; what all have in common is in `reliability/`.

Each is refused with a message that names the limit, and the next valid request succeeds.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from e2e.endpoints import LIMITS, ask
from e2e.tiny import Tiny
from e2e.visiting import NAN, NO_NUMBERS, assert_refused
from PIL import Image

from imagegen.models.diffusion import SOLVERS

NO_NAMES: list[Any] = ["heun", "", "ddim ", "x" * 10**5, "\x1b[2J\0", None, 7, True, NAN, ["ddim"], {"ddim": 1}]
NO_LANES: list[Any] = [[], [["ddim", 1]], [["ddim", 1]] * 4, [["ddim"]] * 2, [["ddim", 1, 1]] * 2, ["ddim", "ddpm"]]
NO_ATTRIBUTES: list[Any] = ["Attractive", ["Attractive"], ["Smiling", 7], [["Smiling"]], [None], "Bald," * 18]


@pytest.fixture(scope="module")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


@pytest.fixture(autouse=True)
def works_afterwards(http: httpx.Client) -> Iterator[None]:
    yield
    assert ask(http, "diffuse_sample").event == "complete"


@pytest.mark.parametrize("name", ["diffuse_sample", "diffuse_race"])
def test_models_that_are_not_there(http: httpx.Client, name: str) -> None:
    for value in [*NO_NAMES, "gan-mnist"]:
        assert_refused(ask(http, name, model=value), "model must be one of ddpm-mnist, ddpm-celeba")


def test_solvers_that_are_none_and_eta_that_only_one_knows(http: httpx.Client) -> None:
    for value in NO_NAMES:
        assert_refused(ask(http, "diffuse_sample", solver=value), f"solver must be one of {', '.join(SOLVERS)}")
    for solver in sorted({*SOLVERS} - {"ddim"}):
        refused = ask(http, "diffuse_sample", solver=solver, eta=0.5)
        assert_refused(refused, f"eta belongs to ddim; with {solver} it must be 0.")


@pytest.mark.parametrize("name", ["diffuse_sample", "diffuse_race"])
@pytest.mark.parametrize("field", ["wanted", "unwanted"])
def test_attributes_that_are_none(http: httpx.Client, name: str, field: str) -> None:
    for value in NO_ATTRIBUTES:
        assert_refused(ask(http, name, model="ddpm-celeba", **{field: value}), f"{field} must be")
    for value in [{"Smiling": 1}, 7, True, None, NAN, ["Smiling"] * 18]:
        assert_refused(ask(http, name, model="ddpm-celeba", **{field: value}), field, "at most 17")
    both = ask(http, name, model="ddpm-celeba", wanted=["Bald", "Male"], unwanted="male")
    assert_refused(both, "Male cannot be both wanted and unwanted.")


def test_races_that_cannot_be_run(http: httpx.Client) -> None:
    for lanes in [*NO_LANES, None, 7, "ddim", {"ddim": 1}, NAN]:
        assert_refused(ask(http, "diffuse_race", lanes=lanes), "A race has 2 to 3 lanes")
    for solver in NO_NAMES:
        assert_refused(ask(http, "diffuse_race", lanes=[["ddim", 1], [solver, 1]]), "solver must be one of")
    for steps in [*NO_NUMBERS, 10.5, 0, 101, 1e9, None]:
        assert_refused(
            ask(http, "diffuse_race", lanes=[["ddim", 1], ["ddim", steps]]), "steps", LIMITS["diffuse_sample", "steps"]
        )


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (Image.new("L", (1, 1)), "8 to 256 pixels a side"),
        (Image.new("L", (2000, 7)), "8 to 256 pixels a side"),
        (None, "There is no picture yet"),
    ],
    ids=["1x1", "thin", "none"],
)
def test_pictures_that_cannot_be_drowned(http: httpx.Client, picture: Image.Image | None, words: str) -> None:
    assert_refused(ask(http, "diffuse_forward", picture=picture), words)


def test_messages_are_in_the_visitors_language(tiny: Tiny) -> None:
    with tiny.app.http(Cookie="imagegen_language=zh") as http:
        assert ask(http, "diffuse_sample", steps=0).message == "步数必须是 1 到 100 的整数。"
        assert "求解器" in ask(http, "diffuse_race", lanes=[["heun", 1]] * 2).message
