"""A made-up MNIST and tiny checkpoints of every class, so that each layer runs for real within seconds.

And two apps for all tests, the real one as `python app.py` starts it and one with the tiny checkpoints, with a
Chromium that looks at them; of a page where a test fails it leaves a picture in `test-results/`. A browser lives as
long as one file of tests: playwright's event loop must be gone before others start theirs.
"""

import gzip
import os
import re
import shutil
import struct
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
import torch
from e2e.browsing import FLAGS, PATIENCE, Visitor
from e2e.tiny import Tiny, running_slowly
from e2e.visiting import App, digit_picture, running
from made_up_diffusion import add_diffusion_checkpoints
from made_up_gans import add_classic_gans
from made_up_sr import add_sr_checkpoints
from made_up_style import add_style_checkpoints
from made_up_vaes import add_vae_checkpoints
from made_up_words import add_text_checkpoint
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serving import ROOT

from imagegen.cards import Card
from imagegen.checkpoints import write_checkpoint
from imagegen.data.digits import mnist
from imagegen.evaluation.features import reference_statistics
from imagegen.models.classifier import DigitClassifier
from imagegen.models.gan import ConditionalDiscriminator, ConditionalGenerator
from imagegen.store import ModelStore

SCREENSHOTS = ROOT / "test-results"
CHROMIUMS = ("chromium-headless-shell", "chromium", "google-chrome")
"""The first opens a page at two thirds of what it costs the second."""
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture(scope="session")
def mnist_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four gzipped idx files of noise: 200 digits to train on, of which half are kept back, and 40 to test on."""
    root = tmp_path_factory.mktemp("mnist")
    rng = torch.Generator().manual_seed(0)
    for part, count in (("train", 200), ("t10k", 40)):
        pixels = torch.randint(0, 256, (count, 28, 28), dtype=torch.uint8, generator=rng)
        labels = torch.arange(count, dtype=torch.uint8) % 10
        for kind, tensor in (("images-idx3", pixels), ("labels-idx1", labels)):
            head = struct.pack(f">{1 + tensor.dim()}i", 0x0800 + tensor.dim(), *tensor.shape)
            (root / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + tensor.numpy().tobytes()))
    return root


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory, mnist_root: Path) -> Path:
    """Every checkpoint that a tab needs, narrow and untrained. Copy what is to be changed."""
    folder = tmp_path_factory.mktemp("checkpoints")
    pictures, labels = mnist(mnist_root, "test")[:]
    card = Card(
        "Made up.", "apache-2.0", "noise", {"command": "none", "seed": 0}, {"FID": {"value": 1.5, "how": "guessed"}}
    )
    rng = torch.Generator().manual_seed(1)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.default_generator.manual_seed(2)
        args = {"z_dim": 8, "w_dim": 16, "width": 2}
        generator = ConditionalGenerator(**args)
        write_checkpoint(
            folder / "gan-mnist",
            generator,
            {"class": "gan.ConditionalGenerator", "args": args},
            card,
            {"z": torch.randn(4, 8, generator=rng), "labels": labels[:4]},
            {
                "w_means": generator.mapping(torch.zeros(10, 8), generator.embed(torch.arange(10))),
                "directions": torch.randn(8, 16, generator=rng),
                "direction_names": torch.tensor([0, 1, 2, 3, 4, 5, -1, -1]),
            },
        )
        discriminator = ConditionalDiscriminator(width=2)
        write_checkpoint(
            folder / "gan-mnist-discriminator",
            discriminator,
            {"class": "gan.ConditionalDiscriminator", "args": {"width": 2}},
            card,
            {"x": pictures[:4], "labels": labels[:4]},
            {"real_means": discriminator(pictures[:10], labels[:10]), "real_std": torch.tensor(0.5)},
        )
        classifier = DigitClassifier(width=2).half().float().eval()
        write_checkpoint(
            folder / "digit-classifier",
            classifier,
            {"class": "classifier.DigitClassifier", "args": {"width": 2}},
            card,
            {"x": pictures[:4]},
            reference_statistics(classifier, pictures),
        )
    add_classic_gans(folder)
    add_diffusion_checkpoints(folder)
    add_text_checkpoint(folder)
    add_sr_checkpoints(folder)
    add_style_checkpoints(folder)
    add_vae_checkpoints(folder)
    return folder


@pytest.fixture(scope="session")
def store(checkpoints: Path) -> ModelStore:
    return ModelStore(checkpoints, torch.device("cpu"))


@pytest.fixture
def new_accelerator() -> Iterator[None]:
    """Accelerate keeps device and precision for the whole process; a test that trains gives them back."""
    from accelerate.state import AcceleratorState

    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with running(tmp_path_factory.mktemp("app") / "log.txt") as app:
        yield app


@pytest.fixture(scope="session")
def http(app: App) -> Iterator[httpx.Client]:
    with app.http() as client:
        yield client


@pytest.fixture(scope="session")
def tiny(checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    with running_slowly(checkpoints, tmp_path_factory.mktemp("tiny")) as tiny:
        yield tiny


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = os.environ.get("IMAGEGEN_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if not found:
        give_up = pytest.fail if os.environ.get("CI") else pytest.skip
        give_up("No browser: apt-get install chromium-headless-shell fonts-noto-cjk, or name one in IMAGEGEN_CHROMIUM.")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS, "--no-sandbox"] if root else FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser, app: App, request: pytest.FixtureRequest, width: int, language: str) -> Iterator[Visitor]:
    context = browser.new_context(viewport={"width": width, "height": 900}, locale=language)
    context.set_default_timeout(PATIENCE)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    visitor = Visitor(context, app)
    yield visitor
    if visitor.faults or request.node.stash.get(FAILED, False):
        for number, page in enumerate(context.pages):
            name = re.sub(r"[^\w-]+", "_", request.node.name)
            page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png", full_page=True)
    context.close()
    assert not visitor.faults, "\n".join(visitor.faults)


@pytest.fixture
def width() -> int:
    """Pixels; tests override it."""
    return 1280


@pytest.fixture
def language() -> str:
    """What the browser asks for; tests override it."""
    return "en-US"


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.open()


@pytest.fixture
def one_png(tmp_path: Path) -> Path:
    path = tmp_path / "one.png"
    digit_picture().save(path)
    return path
