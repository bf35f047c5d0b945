"""What is true of every named endpoint: documented with its limits, and private what only the page asks."""

from typing import Any

import pytest
from e2e.endpoints import ENDPOINTS, LIMITS
from e2e.tiny import Tiny
from gradio_client import Client


@pytest.fixture(scope="module")
def api(tiny: Tiny) -> dict[str, Any]:
    client = Client(tiny.app.url, verbose=False, analytics_enabled=False)
    found: Any = client.view_api(return_format="dict", print_info=False)
    return dict(found)


def test_these_are_all_of_them(api: dict[str, Any]) -> None:
    assert {name.removeprefix("/") for name in api["named_endpoints"]} == set(ENDPOINTS)
    assert not api["unnamed_endpoints"]


@pytest.mark.parametrize("name", ENDPOINTS)
def test_it_is_documented_with_its_limits(name: str, api: dict[str, Any]) -> None:
    endpoint = api["named_endpoints"][f"/{name}"]
    description = endpoint["description"].replace("1,000", "1000").replace("2^32 - 1", "4294967295")
    assert [parameter["parameter_name"] for parameter in endpoint["parameters"]] == list(ENDPOINTS[name])
    assert [parameter["label"] for parameter in endpoint["parameters"]] == list(ENDPOINTS[name])
    assert all(parameter["python_type"]["type"] for parameter in endpoint["parameters"])
    assert "Returns:" in description
    for field in ENDPOINTS[name]:
        assert f"{field}:" in description
        said = description.partition(f"{field}:")[2].partition("\n")[0]
        limit = LIMITS.get((name, field), "").removesuffix(" characters").split()
        assert not limit or limit[-1] in said, (field, said)
