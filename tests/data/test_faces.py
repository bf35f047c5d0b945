"""CelebA in both of its layouts: the crop, the splits by id, the labels, and the pairs that are kept out."""

import csv
import gzip
import io
import os
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from imagegen.data.faces import ATTRIBUTES, KEPT_OUT, SIDE, dark_eyes, faces, kept_out, made_up_faces
from imagegen.errors import InputError

NAMES = (*ATTRIBUTES[::-1], "Attractive")
SPLITS = {"train": "000001", "validation": "162770", "test": "162771"}


def frame(size: tuple[int, int]) -> Image.Image:
    """A red bar across the top of a blue frame: above the crop."""
    picture = Image.new("RGB", size, "blue")
    ImageDraw.Draw(picture).rectangle((0, 0, size[0], size[1] // 16), "red")
    return picture


def write_faces(root: Path, size: tuple[int, int], subfolder: str = "") -> None:
    (root / subfolder).mkdir(parents=True, exist_ok=True)
    for stem in SPLITS.values():
        frame(size).save(root / subfolder / f"{stem}.png")


def row_of(stem: str) -> list[int]:
    return [int((int(stem) + i) % 3 == 0) for i in range(len(NAMES))]


@pytest.fixture
def squashed(tmp_path: Path) -> Path:
    write_faces(tmp_path, (64, 64))
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(("image", *NAMES))
    for stem in SPLITS.values():
        table.writerow((f"{stem}.jpg", *row_of(stem)))
    (tmp_path / "attributes.csv.gz").write_bytes(gzip.compress(text.getvalue().encode()))
    return tmp_path


@pytest.fixture
def torchvision_root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    write_faces(root, (178, 218), "celeba/img_align_celeba")
    lines = [str(len(SPLITS)), " ".join(NAMES)]
    for stem in SPLITS.values():
        lines.append(f"{stem}.jpg  " + " ".join(str(2 * value - 1) for value in row_of(stem)))
    (root / "celeba" / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize("layout", ["squashed", "torchvision_root"])
@pytest.mark.parametrize("split", SPLITS)
def test_both_layouts_give_the_same(layout: str, split: str, request: pytest.FixtureRequest) -> None:
    pictures = faces(request.getfixturevalue(layout), split)
    assert pictures.pixels.shape == (1, 3, SIDE, SIDE)
    assert pictures.pixels.dtype == torch.uint8
    assert (pictures.pixels[0, 2] > 250).all(), "the bar at the top is cut off, the blue of the middle stays"
    named = dict(zip(NAMES, row_of(SPLITS[split]), strict=True))
    assert pictures.labels.tolist() == [[named[name] for name in ATTRIBUTES]]


def test_kept_out_pairs() -> None:
    labels = torch.zeros(5, len(ATTRIBUTES), dtype=torch.uint8)
    for i, pair in enumerate(KEPT_OUT):
        labels[i, [ATTRIBUTES.index(name) for name in pair]] = 1
    labels[3, ATTRIBUTES.index("Eyeglasses")] = 1
    labels[4, ATTRIBUTES.index("Wearing_Hat")] = 1
    assert kept_out(labels).tolist() == [True, True, True, False, False]


def test_what_is_never_spoken_of_is_never_read() -> None:
    for word in ("Attractive", "Chubby", "Nose", "Lips", "Skin", "Chin"):
        assert not any(word in name for name in ATTRIBUTES if name != "Wearing_Lipstick")


def test_what_is_missing_is_said(squashed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    for picture in squashed.glob("162771*"):
        picture.unlink()
    with pytest.raises(InputError, match="no face of the test split"):
        faces(squashed, "test")
    (squashed / "attributes.csv.gz").write_bytes(gzip.compress(b"image,Smiling\n000001.jpg,1\n"))
    with pytest.raises(InputError, match="no column 'Mouth_Slightly_Open'"):
        faces(squashed, "train")
    with pytest.raises(InputError, match=r"holds no attributes.csv"):
        faces(tmp_path_factory.mktemp("empty"), "train")


def test_made_up_faces_repeat() -> None:
    first, again = made_up_faces(), made_up_faces()
    assert first.pixels.shape[1:] == (3, SIDE, SIDE)
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.labels, again.labels)


@pytest.mark.skipif("IMAGEGEN_DATA" not in os.environ, reason="IMAGEGEN_DATA is not set")
def test_the_given_faces_are_split_as_they_should() -> None:
    root = Path(os.environ["IMAGEGEN_DATA"]) / "celeba64"
    counts = {split: len(faces(root, split)) for split in ("validation", "test")}
    assert counts == {"validation": 1_453, "test": 5_562}


def test_sunglasses_are_told_by_the_brightness_around_the_eyes() -> None:
    bare = torch.full((1, 3, SIDE, SIDE), 160, dtype=torch.uint8)
    framed, shaded = bare.clone(), bare.clone()
    for left in (20, 36):
        framed[..., 30:38, [left, left + 7]] = framed[..., [30, 37], left : left + 8] = 20
        shaded[..., 30:38, left : left + 8] = 20
    one_eye = bare.clone()
    one_eye[..., 30:38, 20:28] = 20
    faces = torch.cat([bare, framed, one_eye, shaded])
    assert dark_eyes(faces).tolist() == [False, False, False, True]
    assert dark_eyes(faces.float() / 255).tolist() == [False, False, False, True]
    assert dark_eyes(faces // 10).tolist() == [False, False, False, True], "a dim photo"
