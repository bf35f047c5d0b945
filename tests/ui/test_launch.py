"""What the command line promises, and what is open and reached for, with processes of their own."""

import itertools
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from e2e.visiting import App
from gradio_client import Client
from serving import LOOPBACK, ROOT, WATCH, address, free_port, serving, start

from imagegen.ui.launch import forget_files

# An app with an echo, a count of what is kept, and a run whose second step takes a minute.
# Its arguments after the port are fields of Settings.
APP = """
import sys, time
import gradio as gr
import torch
from imagegen.ui.launch import DELETE_CACHE, Settings, launch, wait

def run():
    yield 1
    until = time.monotonic() + 60
    while time.monotonic() < until:
        torch.nn.functional.conv2d(torch.ones(1, 8, 96, 96), torch.ones(8, 8, 3, 3))
    yield 2

def kept(count):
    visits = blocks.state_holder.session_data.values()
    return count + 1, [count + 1, sum(len(list(visit.components)) for visit in visits)]

with gr.Blocks(delete_cache=DELETE_CACHE, analytics_enabled=False) as blocks:
    text, number, count, counts = gr.Textbox(), gr.Number(), gr.State(0), gr.JSON()
    gr.on(fn=lambda text: text, inputs=text, outputs=text, api_name="echo")
    gr.on(fn=kept, inputs=count, outputs=[count, counts], api_name="kept")
    gr.on(fn=run, outputs=number, api_name="run")
print(launch(blocks, Settings(port=int(sys.argv[1]), **dict.fromkeys(sys.argv[2:], True))), flush=True)
wait(blocks)
"""


def run_app(*flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "app.py", *flags], cwd=ROOT, env=env, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--port", "70000"], "70000"),
        (["--port", "http"], "http"),
        (["--auth", "nobody"], "user:password"),
        (["--device", "tpu"], "tpu"),
        (["--lang", "fr"], "fr"),
        (["--host", "no.such.host.invalid"], "no.such.host.invalid"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_bad_flags_are_one_line(flags: list[str], named: str) -> None:
    result = run_app(*flags)
    assert result.returncode != 0
    assert result.stderr.count("\n") == 1
    assert named in result.stderr


@pytest.mark.parametrize(
    ("flags", "env", "expected"),
    [
        ([], {}, {"host": "127.0.0.1", "port": 7860, "share": False, "auth": None, "mcp": False}),
        ([], {"HOST": "0.0.0.0", "PORT": "80"}, {"host": "0.0.0.0", "port": 80}),
        ([], {"GRADIO_SERVER_NAME": "::1", "GRADIO_SERVER_PORT": "81"}, {"host": "::1", "port": 81}),
        ([], {"PORT": "80", "GRADIO_SERVER_PORT": "81"}, {"port": 80}),
        ([], {"SPACE_HOST": "me-app.hf.space"}, {"host": "0.0.0.0", "port": 7860}),
        (["--port", "82"], {"PORT": "80"}, {"port": 82}),
        (["--auth", "me:a:b"], {}, {"auth": ("me", "a:b")}),
        (["--allowed-host", "a", "--allowed-host", "b"], {}, {"allowed_hosts": ["a", "b"]}),
        (["--mcp"], {}, {"mcp": True}),
        (["--checkpoints", "elsewhere"], {}, {"checkpoints": Path("elsewhere")}),
    ],
)
def test_flags_and_environment(
    flags: list[str], env: dict[str, str], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "HOST", "PORT", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "SPACE_HOST":
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["app.py", *flags])
    read = vars(runpy.run_path(str(ROOT / "app.py"))["read_flags"]())
    assert {name: read[name] for name in expected} == expected


def test_sigterm_while_a_network_computes_ends_the_app_with_exit_0() -> None:
    with start("-c", APP, str(free_port())) as process:
        client = Client(address(process), verbose=False, analytics_enabled=False)
        job = client.submit(api_name="/run")
        next(iter(job))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment with a proxy in it; in the end, no process in it has reached for anything outside."""
    (tmp_path / "sitecustomize.py").write_text(WATCH)
    notes = tmp_path / "notes.txt"
    proxy = "http://proxy.invalid:3128"
    yield {"PYTHONPATH": str(tmp_path), "NOTES": str(notes), "HTTP_PROXY": proxy, "HTTPS_PROXY": proxy}
    assert set(notes.read_text().split()) <= LOOPBACK


def test_a_page_and_a_call_reach_for_nothing_outside(watched: dict[str, str]) -> None:
    with serving("-c", APP, str(free_port()), env=watched) as url:
        client = Client(url, verbose=False, analytics_enabled=False, httpx_kwargs={"trust_env": False})
        assert client.predict("hello", api_name="/echo") == "hello"


def test_the_app_itself_reaches_for_nothing_outside(watched: dict[str, str]) -> None:
    with serving("app.py", "--port", str(free_port()), env=watched) as url:
        assert "ImageGen from Zero" in httpx.get(url, trust_env=False).text


def test_nothing_is_open_that_nobody_asked_for() -> None:
    with serving("-c", APP, str(free_port())) as url, httpx.Client(base_url=url, trust_env=False) as http:
        config = http.get("/config").json()
        assert config["footer_links"] == ["api"]
        assert config["max_file_size"] == 20 * 2**20
        assert http.get("/monitoring").status_code == 403
        assert http.get("/gradio_api/runs").status_code == 404


@pytest.mark.parametrize("public", [False, True])
def test_share_has_a_password_and_says_when_no_link_could_be_made(public: bool) -> None:
    no_way_out = {"HTTPS_PROXY": "http://127.0.0.1:9"}
    with start("-c", APP, str(free_port()), "share", *["public"] * public, env=no_way_out) as process:
        assert process.stdout
        with httpx.Client(base_url=address(process), trust_env=False) as http:
            if not public:
                assert http.get("/config").status_code == 401
                password = process.stdout.readline().rsplit(" ", 1)[1].strip()
                assert http.post("/login", data={"username": "imagegen", "password": "x"}).status_code == 400
                login = http.post("/login", data={"username": "imagegen", "password": password})
                http.headers["Cookie"] = login.headers["Set-Cookie"].partition(";")[0]
            assert http.get("/config").status_code == 200
        process.terminate()
        rest = process.stdout.read()
    assert rest.startswith("No share link could be made")
    assert "forward the port" in rest
    assert "password" not in rest


def test_a_password_of_ones_own_is_asked_for_and_never_printed() -> None:
    script = APP.replace("Settings(", "Settings(auth=('me', 'my secret'), ")
    with start("-c", script, str(free_port())) as process:
        url = address(process)
        assert httpx.get(f"{url}config", trust_env=False).status_code == 401
        process.terminate()
        assert process.communicate()[0] == ""


def test_the_page_is_sent_packed_to_who_can_unpack_it(app: App) -> None:
    packed, plain = (
        httpx.get(app.url, headers={"Accept-Encoding": encoding}, trust_env=False) for encoding in ("gzip", "identity")
    )
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert len(packed.text) == len(plain.text)
    assert int(packed.headers["content-length"]) < len(plain.content) / 3


def test_of_a_visitor_the_server_keeps_states_and_not_what_was_shown() -> None:
    with serving("-c", APP, str(free_port())) as url:
        client = Client(url, verbose=False, analytics_enabled=False, httpx_kwargs={"trust_env": False})
        assert client.predict("hello", api_name="/echo") == "hello"
        assert client.predict(api_name="/kept") == [1, 0]
        assert client.predict(api_name="/kept") == [2, 0]


def test_what_is_uploaded_lies_in_a_folder_of_this_app_that_goes_with_it() -> None:
    command = ("app.py", "--port", str(free_port()))
    with serving(*command, env={"GRADIO_TEMP_DIR": ""}) as url, httpx.Client(base_url=url, trust_env=False) as http:
        (path,) = http.post("/gradio_api/upload", files={"files": b"a picture"}).json()
        folder = next(parent for parent in Path(path).parents if parent.name.startswith("imagegen-"))
        assert Path(path).is_file()
    assert not folder.exists()


def test_old_files_go_and_new_ones_and_examples_stay(tmp_path: Path) -> None:
    names = ["kept", "gone", "one", "two"]
    kept, gone, one, two = (str(tmp_path / name) for name in names)
    for path in (kept, one, two):
        Path(path).write_text("a picture")
    shown = {one, two}
    example = SimpleNamespace(keep_in_cache={kept})
    blocks: Any = SimpleNamespace(blocks={1: example, 2: object()}, temp_file_sets=[{kept, gone}, shown])
    forget_files(blocks, age=60)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "one", "two"]
    assert blocks.temp_file_sets == [{kept}, {one, two}]
    forget_files(blocks, age=-1)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert not shown


def test_a_file_that_comes_while_old_ones_go_does_not_end_it(tmp_path: Path) -> None:
    files = {str(tmp_path / str(i)) for i in range(3000)}
    for path in files:
        Path(path).touch()
    blocks: Any = SimpleNamespace(blocks={}, temp_file_sets=[files])
    over = threading.Event()

    def bring() -> None:
        for i in itertools.count():
            if over.is_set():
                return
            files.add(f"{tmp_path}/new{i}")

    bringing = threading.Thread(target=bring)
    bringing.start()
    try:
        forget_files(blocks, age=None)
    finally:
        over.set()
        bringing.join()
    assert not list(tmp_path.iterdir())
