"""All of these tests ask the app with tiny checkpoints, which has every tab, and look into its log afterwards."""

import re
from collections.abc import Iterator

import httpx
import pytest
from e2e.endpoints import ask
from e2e.tiny import Tiny
from e2e.visiting import faults

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@pytest.fixture(scope="session")
def http(tiny: Tiny) -> Iterator[httpx.Client]:
    with tiny.app.http() as client:
        yield client


@pytest.fixture
def works_afterwards(request: pytest.FixtureRequest, tiny: Tiny, http: httpx.Client) -> Iterator[None]:
    """The endpoint that a test is about answers the next valid request; the log has no traceback, no control bytes."""
    before = tiny.app.log.stat().st_size
    yield
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    assert ask(http, parameters.get("name", "gan_sample")).event == "complete"
    with tiny.app.log.open("rb") as log:
        log.seek(before)
        said = log.read().decode()
    assert not faults(said)
    assert not CONTROL.search(said)
