"""python app.py, here and on Hugging Face Spaces: flags become settings, settings a page that is served."""

import argparse
import atexit
import errno
import gc
import os
import shutil
import socket
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import NoReturn


class OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def user_and_password(text: str) -> tuple[str, str]:
    user, _, password = text.partition(":")
    if not (user and password):
        raise argparse.ArgumentTypeError("write it as user:password")
    return user, password


def port_number(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {text!r}")
    return int(text)


def read_flags() -> argparse.Namespace:
    env = os.environ
    host = env.get("HOST") or env.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if "SPACE_HOST" in env else "127.0.0.1")
    port = env.get("PORT") or env.get("GRADIO_SERVER_PORT") or "7860"
    parser = OneLineParser(description="Every family of image generators, in the browser.")
    add = parser.add_argument
    add("--device", choices=["auto", "cuda", "cpu", "mps"], default="auto")
    add("--share", action="store_true", help="make a public link, with a password")
    add("--auth", type=user_and_password, metavar="USER:PASSWORD", help="ask every visitor for this password")
    add("--public", action="store_true", help="open to everyone: no password, and limits for each visitor")
    add("--host", default=host, help="address to listen on; 0.0.0.0 for all (%(default)s)")
    add("--port", type=port_number, default=port, help="(%(default)s)")
    add("--allowed-host", dest="allowed_hosts", action="append", default=[], metavar="NAME",
        help="a name that the app may be reached by, as behind a proxy; may be repeated")  # fmt: skip
    add("--checkpoints", type=Path, default=Path(__file__).parent / "checkpoints", metavar="DIR")
    add("--text-to-image", action="append", default=[], metavar="DIR_OR_ID[@REVISION]",
        help="another engine for words and editing: a pipeline of diffusers, as a folder or by its id on the Hub, or "
        "openai[:MODEL]; may be repeated")  # fmt: skip
    add("--lang", choices=["auto", "en", "zh"], default="auto")
    add("--mcp", action="store_true", help="serve the endpoints to language models too, as tools")
    return parser.parse_args()


def check_port(host: str, port: int) -> None:
    """Exit with one line if nothing can listen there; the imports that follow take seconds."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(f"Port {port} is in use. Choose another with --port or PORT.")
        sys.exit(f"Cannot listen on {host}, port {port}: {error.strerror}")


def main() -> None:
    flags = read_flags()
    check_port(flags.host, flags.port)
    gc.disable()  # a fifth of the start would go into looking for garbage among modules, which never are
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if not os.environ.get("GRADIO_TEMP_DIR"):  # of this app alone: another one that ends would take its files along
        os.environ["GRADIO_TEMP_DIR"] = folder = tempfile.mkdtemp(prefix="imagegen-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    from imagegen.devices import choose_device
    from imagegen.engines.opening import open_engines
    from imagegen.errors import ImageGenError
    from imagegen.store import ModelStore
    from imagegen.tasks.text_to_image import CHECKPOINT
    from imagegen.ui import create_app, look, warm_up
    from imagegen.ui.launch import Settings, launch, wait

    try:
        settings = Settings(**vars(flags))
        device = choose_device(settings.device)
        engines = open_engines(settings.text_to_image, device, CHECKPOINT, partial(print, flush=True))
        store = ModelStore(settings.checkpoints, device, engines=engines)
        blocks = create_app(store)
    except ImageGenError as error:
        sys.exit(str(error))
    print(launch(blocks, settings, **look(settings)), flush=True)  # noqa: T201
    gc.freeze()
    gc.enable()
    warm_up(store)
    wait(blocks)


if __name__ == "__main__":
    main()
