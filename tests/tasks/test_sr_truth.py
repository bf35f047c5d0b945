"""Known truth: errors that were made on purpose are found, where they are and of their kind."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from imagegen.data.photos import shrunk, spoilt
from imagegen.errors import InputError
from imagegen.images import to_tensor
from imagegen.models.sr import psnr, ssim
from imagegen.store import ModelStore
from imagegen.tasks import sr_truth
from imagegen.tasks.sr_truth import FEATURES, Verdict, given_back, judge, made_small


@pytest.fixture
def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (12, 15, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((120, 96), Image.Resampling.BICUBIC)


def verdicts(truth: Image.Image, restored: list[Image.Image], store: ModelStore) -> tuple[Verdict, ...]:
    *_, last = judge(truth, restored, store)
    return last.verdicts


def with_noise(photo: Image.Image) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, 30, (photo.height, photo.width, 1))
    return Image.fromarray((np.asarray(photo) + noise).round().clip(0, 255).astype(np.uint8))


def test_a_picture_is_made_small_as_the_papers_do(photo: Image.Image) -> None:
    odd = photo.crop((0, 0, 119, 95))
    high_res, low_res = made_small(odd)
    assert (high_res.size, low_res.size) == ((116, 92), (29, 23))
    assert low_res.tobytes() == shrunk(high_res).tobytes()
    assert made_small(photo, spoilt)[1].tobytes() == spoilt(photo).tobytes()
    assert made_small(photo.convert("L"))[1].mode == "RGB"


@pytest.mark.parametrize("size", [(1, 1), (19, 200), (400, 23)])
def test_too_small_a_picture_is_refused(size: tuple[int, int]) -> None:
    if min(size) < 20:
        with pytest.raises(InputError, match=f"needs 20 pixels a side; this one has {size[0]}×{size[1]}"):
            made_small(Image.new("RGB", size))
    else:
        assert made_small(Image.new("RGB", size))[0].size == (400, 20)


def test_too_large_a_picture_is_refused() -> None:
    with pytest.raises(InputError, match="2048×2048 pixels in all; this one has 2052×2048"):
        made_small(Image.new("L", (2052, 2048)))
    assert made_small(Image.new("L", (2048, 2050)))[1].size == (512, 512)


def test_the_figures_are_those_of_the_evaluation(photo: Image.Image, store: ModelStore) -> None:
    soft, noisy = photo.filter(ImageFilter.GaussianBlur(2)), with_noise(photo)
    found = verdicts(photo, [photo, soft, noisy], store)
    for picture, verdict in zip((photo, soft, noisy), found, strict=True):
        assert verdict.psnr == psnr(to_tensor(picture), to_tensor(photo))
        assert verdict.ssim == ssim(to_tensor(picture), to_tensor(photo))
        assert verdict.l1 == pytest.approx((to_tensor(picture) - to_tensor(photo)).abs().mean().item())
    perfect = found[0]
    assert (perfect.psnr, perfect.ssim, perfect.l1, perfect.distance) == (math.inf, 1, 0, 0)
    assert all(verdict.distance is not None and verdict.distance > 0 for verdict in found[1:])


def test_blur_is_lost_detail_and_noise_invented(photo: Image.Image, store: ModelStore) -> None:
    soft, noisy = verdicts(photo, [photo.filter(ImageFilter.GaussianBlur(3)), with_noise(photo)], store)
    assert soft.invented < 0.1
    assert noisy.invented > 0.9
    assert soft.detail.mean() < 0 < noisy.detail.mean()
    assert soft.error.shape == (96 - 8, 120 - 8)


def test_an_error_is_found_where_it_is(photo: Image.Image, store: ModelStore) -> None:
    wrong = photo.copy()
    wrong.paste(with_noise(photo).crop((60, 40, 80, 60)), (60, 40))
    (verdict,) = verdicts(photo, [wrong], store)
    where = verdict.error.abs() > 1
    assert where[40 - 4 : 60 - 4, 60 - 4 : 80 - 4].float().mean() > 0.8
    where[40 - 4 : 60 - 4, 60 - 4 : 80 - 4] = False
    assert not where.any()


def test_the_features_see_a_tile_a_step(photo: Image.Image, store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = verdicts(photo, [with_noise(photo)], store)[0].distance
    monkeypatch.setattr(sr_truth, "TILE", 50)
    steps = list(judge(photo, [with_noise(photo)], store))
    assert [(step.index, step.total) for step in steps] == [(i, 6) for i in range(1, 7)]
    assert not any(step.verdicts for step in steps[:-1])
    assert steps[-1].verdicts[0].distance == pytest.approx(whole, rel=0.2)
    assert torch.is_grad_enabled()


def test_without_the_feature_network_there_is_no_distance(
    photo: Image.Image, checkpoints: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoints, tmp_path / "checkpoints")
    shutil.rmtree(folder / FEATURES)
    (verdict,) = verdicts(photo, [photo], ModelStore(folder, torch.device("cpu")))
    assert verdict.distance is None
    assert verdict.ssim == 1


def test_what_is_made_small_again_is_compared(photo: Image.Image) -> None:
    low_res = shrunk(photo)
    assert given_back(photo, low_res) == math.inf
    lighter = low_res.point(lambda level: min(255, level + 1))
    assert given_back(photo, lighter) == pytest.approx(20 * math.log10(255), abs=0.2)
    assert given_back(with_noise(photo), low_res) < given_back(photo.filter(ImageFilter.GaussianBlur(0.5)), low_res)
