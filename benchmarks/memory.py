"""How much memory the app takes, and the largest pictures that are allowed: 2048x2048, enlarged or painted.

python -m benchmarks.memory app|upscale|style [CHECKPOINTS]

`app` starts the app, uses the main function of every tab once through the API, and prints the most that it took. For
the others a small picture goes first, so that the network is loaded; then the large one, tile by tile as the app does,
and, for comparison, whole. How far the process's peak has grown each time is printed; where nothing is known of that
(Windows), nothing is measured.
"""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from gradio_client import Client, handle_file
from PIL import Image
from torch import Tensor

from imagegen.models.sr import upscale
from imagegen.store import ModelStore
from imagegen.tasks import sr, style

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "imagegen" / "ui" / "examples"
SMALL, LOW_RES = 128, 512
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # in which the system counts


def peak(of_children: bool = False) -> float:
    """Of this process so far, or of those that it started and that have ended, in MB."""
    import resource

    who = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    return resource.getrusage(who).ru_maxrss * KILOBYTE / 2**20


def measured(name: str, run: Callable[[], object]) -> None:
    before, begin = peak(), time.perf_counter()
    run()
    print(f"{name}: {peak() - before:.0f} MB more, {time.perf_counter() - begin:.1f} s")  # noqa: T201


def drain(steps: Iterator[object]) -> None:
    for _ in steps:
        pass


def enlarge(picture: Tensor, store: ModelStore) -> None:
    drain(sr.run(sr.UpscaleRequest(picture), store))


def enlarge_whole(picture: Tensor, store: ModelStore) -> None:
    upscale(store.get(sr.FAITHFUL), picture)


def painting(picture: Tensor, store: ModelStore) -> style.StyleRequest:
    return style.StyleRequest(picture, style=style.style_names(store)[:1], size=picture.shape[-1])


def paint(picture: Tensor, store: ModelStore) -> None:
    drain(style.run(painting(picture, store), store))


@torch.no_grad()
def paint_whole(picture: Tensor, store: ModelStore) -> None:
    store.get(style.FAST).paint(picture, style.code_of(painting(picture, store), store))


TASKS = {"upscale": (LOW_RES, enlarge, enlarge_whole), "style": (style.MAX_SIZE, paint, paint_whole)}


def use_every_tab(url: str, mask: Path) -> None:
    """The main function of each once, with the page's own first values where they matter."""
    client = Client(url, verbose=False, analytics_enabled=False, httpx_kwargs={"trust_env": False, "timeout": 600})
    photo, painting = handle_file(EXAMPLES / "astronaut.jpg"), handle_file(EXAMPLES / "waves.jpg")
    calls: list[tuple[str, tuple[object, ...], dict[str, object]]] = [
        ("gan_sample", (), {"count": 30}),
        ("gan_walk", (), {"digit": 3, "second_digit": 8}),
        ("vae_decode", (), {}),
        ("vae_edit_face", (None,), {}),
        ("diffuse_sample", (), {"model": "ddpm-mnist", "digit": 7}),
        ("diffuse_sample", (), {"model": "ddpm-celeba"}),
        ("text_to_image", (), {"count": 9}),
        ("edit_image", (photo,), {}),
        ("inpaint", (photo, handle_file(mask)), {}),
        ("stylize", (photo, painting), {"style": []}),
        ("stylize_slow", (photo, painting), {"iterations": 20}),
        ("upscale", (photo,), {"model": "sr-x4"}),
    ]
    for name, pictures, values in calls:
        client.predict(*pictures, **values, api_name=f"/{name}")


def measure_app(checkpoints: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    command = [sys.executable, "app.py", "--port", port, "--checkpoints", str(checkpoints.resolve())]
    begin = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process,
    ):
        try:
            mask = Path(folder) / "mask.png"
            Image.new("L", (512, 512), 255).save(mask)
            greeting = process.stdout.readline() if process.stdout else ""
            use_every_tab(greeting.rsplit(" ", 1)[-1].strip(), mask)
        finally:
            process.terminate()
    seconds = time.perf_counter() - begin
    print(f"app, every tab used once: peak {peak(of_children=True):.0f} MB, {seconds:.0f} s from start to end")  # noqa: T201


def main(task: str, checkpoints: Path) -> None:
    if task == "app":
        measure_app(checkpoints)
        return
    store = ModelStore(checkpoints, torch.device("cpu"))
    side, by_tiles, whole = TASKS[task]
    small, large = (torch.rand(1, 3, size, size) * 2 - 1 for size in (SMALL, side))
    by_tiles(small, store)
    print(f"{task}: loaded, {SMALL}² done: peak {peak():.0f} MB, {torch.get_num_threads()} threads")  # noqa: T201
    measured(f"{side}² by tiles", lambda: by_tiles(large, store))
    measured(f"{side}² whole", lambda: whole(large, store))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else Path("checkpoints"))
