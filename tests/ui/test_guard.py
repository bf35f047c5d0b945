"""Rows 14, 17, 18 and 31 of the bad inputs: what must never reach Gradio, against a real server."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from serving import free_port, serving
from starlette.types import Message, Receive, Scope, Send

from imagegen.ui.guard import MAX_CALL_BYTES, MAX_UPLOAD_BYTES, Guard

UPLOAD = "/gradio_api/upload"
CALL = "/gradio_api/call/size"
FILE = {"meta": {"_type": "gradio.FileData"}}

# An app that says how large a picture is, and that goes by the name of images.example.org.
APP = """
import sys
import gradio as gr
from PIL import Image
from imagegen.ui.launch import Settings, launch, wait

with gr.Blocks(analytics_enabled=False) as blocks:
    picture, size = gr.Image(type="filepath"), gr.Textbox()
    picture.change(lambda path: str(Image.open(path).size), picture, size, api_name="size")
print(launch(blocks, Settings(port=int(sys.argv[1]), allowed_hosts=("Images.example.org",))), flush=True)
wait(blocks)
"""


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def client(uploads: Path) -> Iterator[httpx.Client]:
    with (
        serving("-c", APP, str(free_port()), env={"GRADIO_TEMP_DIR": str(uploads)}) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=20) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "small.png"
    Image.new("RGB", (5, 3)).save(path)
    return path


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:{port}", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:{port}", 200),
        ("[::1]:{port}", 200),
        ("images.example.org", 200),
        ("evil.example", 403),
        ("evil.example:{port}", 403),
        ("127.0.0.1.evil.example", 403),
        ("images.example.org.evil.example", 403),
        ("127.0.0.1@evil.example", 403),
        ("evil.example#127.0.0.1", 403),
        ("10.0.0.1:{port}", 403),
        ("", 403),
    ],
)
def test_answers_only_for_its_own_hosts(client: httpx.Client, host: str, status: int) -> None:
    host = host.format(port=client.base_url.port)
    assert client.get("/", headers={"Host": host}).status_code == status


def test_refused_host_is_told_what_to_do(client: httpx.Client) -> None:
    detail = client.get("/config", headers={"Host": "box.lan:80"}).json()["detail"]
    assert "box.lan" in detail
    assert "--allowed-host box.lan " in detail


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://localhost:{port}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
        ({"Host": "images.example.org", "Origin": "https://images.example.org"}, 200),
        ({"X-Forwarded-Host": "images.example.org", "Origin": "https://images.example.org"}, 200),
        ({"X-Forwarded-Host": "evil.example", "Origin": "https://evil.example"}, 403),
        ({"X-Forwarded-Host": "images.example.org, evil.example"}, 403),
    ],
)
def test_upload_only_from_the_same_origin(
    client: httpx.Client, uploads: Path, headers: dict[str, str], status: int
) -> None:
    headers = {name: value.format(port=client.base_url.port) for name, value in headers.items()}
    before = len(files_in(uploads))
    content = json.dumps([headers, status]).encode()
    assert client.post(UPLOAD, files={"files": content}, headers=headers).status_code == status
    assert len(files_in(uploads)) - before == (1 if status == 200 else 0)


def test_refuses_a_websocket_of_another_site(tmp_path: Path) -> None:
    sent: list[Message] = []

    async def app(*_: Any) -> None:
        raise AssertionError("the app was reached")

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost:7860"), (b"origin", b"http://evil.example")]
    scope: Scope = {"type": "websocket", "path": "/", "headers": headers}
    asyncio.run(Guard(app, hosts=set(), uploads=tmp_path)(scope, receive, send))
    assert sent[0]["type"] == "websocket.http.response.start"
    assert sent[0]["status"] == 403


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
@pytest.mark.parametrize("path", [CALL, "/login", "/gradio_api/component_server"])
def test_refuses_a_huge_call_at_once(client: httpx.Client, path: str, declared: bool) -> None:
    body = json.dumps({"data": ["x" * 50_000_000]}).encode()
    start = time.perf_counter()
    response = client.post(path, content=body if declared else iter([body]))
    assert time.perf_counter() - start < 1
    assert response.status_code == 413
    assert str(MAX_CALL_BYTES) in response.json()["detail"]


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_refuses_a_huge_upload_and_keeps_nothing(client: httpx.Client, uploads: Path, declared: bool) -> None:
    before = files_in(uploads)
    request = client.build_request("POST", UPLOAD, files=[("files", bytes(9 * 2**20)) for _ in range(3)])
    body = request.read()
    headers = {"Content-Type": request.headers["Content-Type"]}
    response = client.post(UPLOAD, content=body if declared else iter([body]), headers=headers)
    assert response.status_code == 413
    assert str(MAX_UPLOAD_BYTES) in response.text
    assert files_in(uploads) == before


def test_refuses_one_file_over_the_limit_of_a_picture(client: httpx.Client) -> None:
    assert client.post(UPLOAD, files={"files": bytes(20 * 2**20 + 1)}).status_code == 413
    assert client.post(UPLOAD, files={"files": bytes(20 * 2**20)}).status_code == 200


@pytest.mark.parametrize(
    "file",
    [
        {"path": None, "url": "data:image/png;base64,AAAA"},
        {"path": None, "url": "file:///etc/passwd"},
        {"path": None, "url": "http://169.254.169.254/latest/meta-data"},
        {"path": "http://169.254.169.254/latest/meta-data"},
        {"path": "https://example.org/picture.png", **FILE},
        {"path": "/etc/passwd", **FILE},
        {"path": "{uploads}/../../etc/passwd", **FILE},
        {"path": "pyproject.toml", **FILE},
        {"path": "{uploads}/a\0.png", **FILE},
        {"path": "{uploads}/small.png", "url": "data:image/png;base64,AAAA", **FILE},
        {"path": "{uploads}/small.png", "url": 7},
        {"path": ["{uploads}/small.png"]},
    ],
    ids=str,
)
def test_refuses_files_that_were_not_uploaded(client: httpx.Client, uploads: Path, file: dict[str, object]) -> None:
    path = file["path"]
    file = {**file, "path": path.format(uploads=uploads) if isinstance(path, str) else path}
    for data in [file], [[{"image": file}]]:
        response = client.post(CALL, json={"data": data})
        assert response.status_code == 400
        assert "Upload the picture first" in response.json()["detail"]


def test_files_are_found_whatever_the_body_is_called(client: httpx.Client) -> None:
    body = '{"data": [{"\\u0070ath": "/etc/passwd"}]}'
    for encoding in "utf-8", "utf-16":
        response = client.post(CALL, content=body.encode(encoding), headers={"Content-Type": "text/plain"})
        assert response.status_code == 400


def test_refuses_a_link_out_of_the_uploads(client: httpx.Client, uploads: Path) -> None:
    link = uploads / "link.png"
    link.symlink_to("/etc/passwd")
    response = client.post(CALL, json={"data": [{"path": str(link), **FILE}]})
    link.unlink()
    assert response.status_code == 400


def test_refuses_a_session_of_a_long_name(client: httpx.Client) -> None:
    for length, status in ((64, 200), (65, 400)):
        answer = client.post("/gradio_api/call/size", json={"data": [None], "session_hash": "s" * length})
        assert answer.status_code == status, answer.text


def test_takes_no_upload_where_the_disk_is_all_but_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    def status(free: int) -> int:
        monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": UPLOAD, "headers": [(b"host", b"localhost")]}
        asyncio.run(Guard(app, set(), tmp_path)(scope, nothing, send))
        return int(sent[0]["status"])

    async def nothing() -> Message:
        return {"type": "http.request", "body": b""}

    assert (status(2**30), status(2**30 - 1)) == (200, 507)


def test_refuses_deep_nesting(client: httpx.Client) -> None:
    assert client.post(CALL, content=b"[" * 100_000).status_code == 400


@pytest.mark.parametrize("route", ["file=", "file/", "proxy="])
def test_fetches_nothing_for_a_visitor(client: httpx.Client, route: str) -> None:
    for address in "http://127.0.0.1/", "https%3A//example.org/":
        assert client.get(f"/gradio_api/{route}{address}").status_code == 403


def test_uploaded_picture_reaches_the_handler(client: httpx.Client, picture: Path) -> None:
    gradio = Client(str(client.base_url), verbose=False, analytics_enabled=False)
    assert gradio.predict(handle_file(picture), api_name="/size") == "(5, 3)"
