"""`--mcp`: the endpoints as tools for language models, over loopback, as guarded as the page."""

import base64
import io
import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e.endpoints import ENDPOINTS, PICTURE
from e2e.visiting import encoded, faults, running
from PIL import Image

HEADERS = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def mcp(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    log = tmp_path_factory.mktemp("mcp") / "log.txt"
    with running(log, checkpoints, program=("app.py", "--mcp")) as app:
        assert f"MCP): {app.url}/gradio_api/mcp/" in log.read_text()
        with httpx.Client(base_url=app.url, trust_env=False, timeout=60, headers=HEADERS) as client:
            yield client
        assert not faults(log.read_text())


def post(mcp: httpx.Client, method: str, **params: Any) -> httpx.Response:
    body = {"jsonrpc": "2.0", "id": next(NUMBERS), "method": method, "params": params}
    return mcp.post("/gradio_api/mcp/", content=json.dumps(body))


def result(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    found: dict[str, Any] = json.loads(lines[-1] if lines else response.text)["result"]
    return found


def use(mcp: httpx.Client, tool: str, **arguments: Any) -> dict[str, Any]:
    return result(post(mcp, "tools/call", name=tool, arguments=arguments))


def picture_of(mcp: httpx.Client, answer: dict[str, Any]) -> Image.Image:
    """The one whose address a tool answered with."""
    assert not answer.get("isError"), answer
    found = re.search(r"'url': '([^']+)'", answer["content"][0]["text"])
    assert found, answer
    return Image.open(io.BytesIO(mcp.get(found[1]).content))


def test_every_endpoint_is_a_tool_with_its_documentation(mcp: httpx.Client) -> None:
    tools = {tool["name"]: tool for tool in result(post(mcp, "tools/list"))["tools"]}
    assert set(tools) == set(ENDPOINTS)  # and nothing of what only the page asks
    for name, tool in tools.items():
        assert list(tool["inputSchema"]["properties"]) == list(ENDPOINTS[name])
        assert tool["description"]


def test_a_tool_makes_a_picture(mcp: httpx.Client) -> None:
    answer = use(mcp, "gan_sample", digit=7, count=3, seed=5, directions=[1, -1])
    assert picture_of(mcp, answer).size == (3 * 28, 28)
    assert "'labels': [7, 7, 7]" in answer["content"][0]["text"]


def test_a_tool_takes_a_picture(mcp: httpx.Client) -> None:
    url = f"data:image/png;base64,{base64.b64encode(encoded(PICTURE)).decode()}"
    assert picture_of(mcp, use(mcp, "upscale", picture=url)).size == (160, 160)


def test_a_refusal_says_why(mcp: httpx.Client) -> None:
    answer = use(mcp, "gan_sample", count=65)
    assert answer["isError"]
    assert "count must be a whole number from 1 to 64." in answer["content"][0]["text"]


@pytest.mark.parametrize("picture", ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "/etc/passwd"])
def test_rows_17_and_18_nothing_is_fetched_or_read_for_a_tool(picture: str, mcp: httpx.Client) -> None:
    answer = use(mcp, "gan_score", picture=picture)
    assert answer["isError"]
    assert "root:" not in json.dumps(answer)
    named = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
    refused = post(mcp, "tools/call", name="gan_score", arguments={"picture": named})
    assert refused.status_code == 400
    assert "Upload the picture first" in refused.json()["detail"]


def test_row_31_tools_are_not_for_other_sites(mcp: httpx.Client) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        assert mcp.post("/gradio_api/mcp/", content=body, headers=headers).status_code == 403
