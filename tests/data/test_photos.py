"""Photos: what is measured on is never given, and tiles fit their low resolution."""

import io
import os
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imagegen.data.folders import pictures_in
from imagegen.data.photos import (
    ALIKE,
    MEASURED_ON,
    SCALE,
    STRIDE,
    TILE,
    _fingerprint,
    _starts,
    cropped,
    made_up_photos,
    measured_only,
    photos,
    shrunk,
    spoilt,
    tiles,
)
from imagegen.errors import InputError
from imagegen.images import to_bytes


def smooth(seed: int, width: int = 200, height: int = 150) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def with_fingerprint(bits: int) -> Image.Image:
    """A picture of 90x80 whose coarse pixels rise and fall as the bits say."""
    rises = np.unpackbits(np.frombuffer(bits.to_bytes(8), np.uint8)).reshape(8, 8).astype(np.int16) * 2 - 1
    levels = np.concatenate([np.full((8, 1), 128), 128 + 12 * rises.cumsum(axis=1)], axis=1)
    return Image.fromarray(levels.astype(np.uint8)).resize((90, 80), Image.Resampling.NEAREST)


def saved_again(photo: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    photo.convert("RGB").save(file, "JPEG", quality=quality)
    return Image.open(file)


def write_zip(path: Path, pictures: dict[str, Image.Image]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, picture in pictures.items():
            file = io.BytesIO()
            picture.save(file, "PNG")
            archive.writestr(name, file.getvalue())
    return path


@pytest.mark.parametrize("known", MEASURED_ON)
def test_a_measured_picture_is_known_by_its_look(known: int) -> None:
    picture = with_fingerprint(known)
    assert _fingerprint(picture) == known
    assert measured_only(picture)
    assert measured_only(saved_again(picture, 60))
    assert measured_only(picture.resize((45, 40), Image.Resampling.BICUBIC))


def test_other_pictures_are_not_taken_for_measured_ones() -> None:
    assert not any(measured_only(smooth(seed)) for seed in range(50))
    assert not measured_only(with_fingerprint(MEASURED_ON[0] ^ ((1 << (ALIKE + 2)) - 1)))


def test_measured_pictures_are_left_out_under_any_name(tmp_path: Path) -> None:
    mine = smooth(1)
    write_zip(tmp_path / "holiday.zip", {"beach.png": with_fingerprint(MEASURED_ON[3]), "hill.png": mine})
    (found,) = photos(tmp_path, "train")
    assert found.tobytes() == mine.tobytes()


def test_a_folder_of_measured_pictures_is_refused(tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", {f"{i}.png": with_fingerprint(known) for i, known in enumerate(MEASURED_ON)})
    with pytest.raises(InputError, match="Set5 and Set14 do not count"):
        photos(tmp_path, "train")


@pytest.mark.skipif("IMAGEGEN_DATA" not in os.environ, reason="IMAGEGEN_DATA does not name the data sets")
def test_the_real_set5_and_set14_are_refused() -> None:
    data = Path(os.environ["IMAGEGEN_DATA"])
    measured = [picture for _, picture in pictures_in(data / "photos-test")]
    assert len(measured) == 5 + 14
    for picture in measured:
        assert measured_only(picture)
        assert measured_only(saved_again(picture, 50).reduce(2))
    with pytest.raises(InputError, match="Set5 and Set14 do not count"):
        photos(data / "photos-test", "train")


def test_every_20th_is_kept_back_and_what_lies_in_val_is_left_alone(tmp_path: Path) -> None:
    named = {f"train/{k:02}.png": smooth(k) for k in range(21)}
    archive = write_zip(tmp_path / "b.zip", {**named, "val/2.png": smooth(99), "valley.png": smooth(98)})
    train, held_out = photos(archive, "train"), photos(archive, "validation")
    assert [picture.tobytes() for picture in held_out] == [smooth(19).tobytes()]
    others = [*(picture for name, picture in named.items() if name != "train/19.png"), smooth(98)]
    assert [picture.tobytes() for picture in train] == [picture.tobytes() for picture in others]


def test_without_photos_it_says_what_to_give() -> None:
    with pytest.raises(InputError, match="--data"):
        photos(None, "train")


def test_tiles_lie_over_their_low_resolution() -> None:
    photo = smooth(4, 203, 157)
    pictures = tiles([photo])
    whole = cropped(photo)
    assert whole.size == (200, 156)
    high, low = to_bytes(whole)[0], to_bytes(shrunk(whole))[0]
    corners = [(top, left) for top in _starts(39) for left in _starts(50)]
    assert len(pictures) == len(corners) == 4
    for (top, left), tile, small in zip(corners, pictures.pixels, pictures.labels, strict=True):
        assert torch.equal(small, low[:, top : top + TILE, left : left + TILE])
        y, x, side = top * SCALE, left * SCALE, TILE * SCALE
        assert torch.equal(tile, high[:, y : y + side, x : x + side])


@given(st.integers(TILE, 2_000))
def test_tiles_reach_from_edge_to_edge(length: int) -> None:
    starts = _starts(length)
    assert starts[0] == 0
    assert starts[-1] == length - TILE
    assert all(0 < after - before <= STRIDE for before, after in pairwise(starts))


def test_small_and_flat_photos_give_no_tiles() -> None:
    flat = Image.new("RGB", (200, 200), "grey")
    assert len(tiles([smooth(1), flat, smooth(2, 120, 300)])) == len(tiles([smooth(1)]))
    with pytest.raises(InputError, match="128 pixels on each side"):
        tiles([flat])


def test_a_spoilt_photo_is_the_same_each_time_and_worse_than_a_small_one() -> None:
    photo = smooth(5)
    first, again = spoilt(photo), spoilt(photo)
    assert first.tobytes() == again.tobytes()
    assert first.size == shrunk(photo).size
    error = to_bytes(first).float() - to_bytes(shrunk(photo)).float()
    assert 1 < error.abs().mean() < 40


def test_made_up_photos_are_enough_for_a_batch_of_16() -> None:
    pictures = tiles(made_up_photos())
    assert pictures.pixels.shape == (16, 3, 128, 128)
    assert pictures.labels.shape == (16, 3, 32, 32)
    assert pictures.pixels.dtype == pictures.labels.dtype == torch.uint8
