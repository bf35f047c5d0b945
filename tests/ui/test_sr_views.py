"""What goes into super-resolution from the page, and what comes back as plain data."""

import base64
import io
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from imagegen.data.photos import shrunk, spoilt
from imagegen.errors import InputError
from imagegen.evaluation.curves import TRADE
from imagegen.images import to_tensor
from imagegen.store import ModelStore
from imagegen.tasks import sr as task
from imagegen.tasks.sr_truth import judge
from imagegen.ui import sr_views as views
from imagegen.ui.widgets import data_url
from imagegen.ui.wiring import Travelling

ALL = [task.FAITHFUL, task.PLEASING, task.REAL]


def photo(width: int = 64, height: int = 48) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def picture(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_networks_are_listed_as_they_are_there(store: ModelStore) -> None:
    assert views.models(store) == ALL


def test_what_was_trained_and_measured_is_told(checkpoints: Path, tmp_path: Path) -> None:
    store = ModelStore(shutil.copytree(checkpoints, tmp_path / "checkpoints"), torch.device("cpu"))
    told = views.losses(store, ALL)
    assert told == {"losses": dict.fromkeys(ALL, "made up"), "plot": None}
    store.checkpoint(task.PLEASING).add(TRADE, b"<svg/>")
    assert views.losses(store, ALL)["plot"] == data_url(b"<svg/>", "svg+xml")
    assert views.losses(store, [task.FAITHFUL])["plot"] is None


def test_without_a_picture_of_the_visitors_there_is_an_example() -> None:
    subject = views.subject(ALL, None, "whole", task.FAITHFUL)
    assert max(subject.low_res.size) == 128
    assert (subject.truth, subject.was) == (None, None)
    assert views.subject(ALL, None, "truth", task.FAITHFUL).truth is not None


def test_a_picture_goes_in_as_it_is_or_made_small() -> None:
    whole = views.subject(ALL, Travelling(photo()), "whole", task.FAITHFUL)
    assert whole.low_res.tobytes() == photo().tobytes()
    digit = views.subject(ALL, Travelling(Image.new("L", (28, 28), 90)), "whole", task.FAITHFUL)
    assert (digit.low_res.mode, digit.low_res.size) == ("RGB", (28, 28))
    small = views.subject(ALL, Travelling(photo(66, 49)), "truth", task.FAITHFUL)
    assert small.truth is not None
    assert (small.truth.size, small.low_res.size) == ((64, 48), (16, 12))
    assert small.low_res.tobytes() == shrunk(small.truth).tobytes()
    real = views.subject(ALL, Travelling(photo()), "truth", task.REAL)
    assert real.low_res.tobytes() == spoilt(photo()).tobytes()


@pytest.mark.parametrize("size", [(1024, 1024), (1024, 500), (513, 512)])
def test_a_picture_that_is_too_large_is_made_smaller_and_that_is_said(size: tuple[int, int]) -> None:
    subject = views.subject(ALL, Travelling(Image.new("RGB", size)), "whole", task.FAITHFUL)
    width, height = subject.low_res.size
    assert task.MAX_PIXELS * 0.98 < width * height <= task.MAX_PIXELS
    assert width / height == pytest.approx(size[0] / size[1], rel=0.01)
    assert subject.was == size
    assert views.about(subject, [task.FAITHFUL])["was"] == size


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"source": "half"}, "source must be one of whole, truth"),
        ({"model": "srgan-x4"}, "model must be one of sr-x4, sr-x4-real"),
        ({"model": None}, "model must be one of"),
    ],
)
def test_values_of_the_page_are_checked(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        views.subject(ALL, None, **({"source": "whole", "model": task.FAITHFUL} | values))
    with pytest.raises(InputError, match="pleasing must be a number"):
        views.request(views.subject(ALL, None, "whole", task.FAITHFUL), ALL, math.nan)


def test_each_choice_has_its_networks_and_its_request() -> None:
    clean, real = (views.subject(ALL, Travelling(photo()), "whole", model) for model in (task.FAITHFUL, task.REAL))
    assert views.ways(ALL, clean) == [task.FAITHFUL, task.PLEASING]
    assert views.ways([task.FAITHFUL], clean) == [task.FAITHFUL]
    assert views.ways(ALL, real) == [task.REAL]
    assert type(views.request(clean, ALL, 0)) is task.UpscaleRequest
    mixed = views.request(clean, ALL, 0.5)
    assert isinstance(mixed, task.PleasingRequest)
    assert mixed.pleasing == 0.5
    assert type(views.request(clean, [task.FAITHFUL], 0.5)) is task.UpscaleRequest
    assert type(views.request(real, ALL, 0.5)) is task.RealRequest


def test_steps_as_data(store: ModelStore) -> None:
    subject = views.subject(ALL, Travelling(photo()), "truth", task.FAITHFUL)
    about = views.about(subject, [task.FAITHFUL, task.PLEASING])
    assert about["size"] == [64, 48]
    assert picture(about["bicubic"]).tobytes() == views.bicubic(subject.low_res).tobytes()
    assert picture(about["truth"]).tobytes() == photo().tobytes()
    step, *_ = task.enlarge(to_tensor(subject.low_res), ALL[:2], store)
    shown = views.tile("run", ALL[:2], step)
    assert (shown["box"], shown["index"], shown["total"]) == ((0, 0, 64, 48), 1, 1)
    assert [picture(url).size for url in shown["tiles"].values()] == [(64, 48)] * 2
    json.dumps([about, shown])


def test_verdicts_as_data_hold_no_infinity(store: ModelStore) -> None:
    *_, last = judge(photo(), [photo(), photo().rotate(180)], store)
    perfect, wrong = last.verdicts
    shown = views.verdicts({"bicubic": wrong, "sr-x4": perfect}, [(0.0, perfect), (1.0, wrong)])
    json.dumps(shown, allow_nan=False)
    assert shown["ways"]["sr-x4"]["psnr"] is None
    assert shown["ways"]["bicubic"]["psnr"] == wrong.psnr
    assert shown["curve"][1] == [1.0, wrong.psnr, wrong.distance]
    assert picture(shown["ways"]["sr-x4"]["map"]).getextrema() == ((0, 0),) * 3
    subject = views.subject(ALL, Travelling(photo()), "whole", task.FAITHFUL)
    back = views.given_back({"a": views.bicubic(photo())}, subject)
    assert 20 < (back["a"] or 0) < 80


def test_the_map_is_orange_with_too_much_detail_and_blue_with_too_little() -> None:
    error = torch.tensor([[0.0, 60.0, -60.0, 12.0]])
    detail = torch.tensor([[50.0, 50.0, -50.0, 50.0]])
    none, invented, lost, faint = np.asarray(views.error_map(error, detail))[0].tolist()
    assert none == [0, 0, 0]
    assert invented == list(views.INVENTED)
    assert lost == list(views.LOST)
    assert faint == [round(channel / 2) for channel in views.INVENTED]
