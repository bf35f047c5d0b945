"""Folders and zips of pictures: what is read, in which order, and what is refused by name."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from imagegen.data.folders import pictures_in
from imagegen.errors import InputError


def png(colour: str, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (3, 2), colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.png").write_bytes(png("red"))
    (tmp_path / "sub" / "a.png").write_bytes(png("lime"))
    (tmp_path / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("z.png", png("blue"))
        archive.writestr("in/y.PNG", png("white"))
        archive.writestr("in/labels.csv", "image")
    return tmp_path


def test_pictures_of_folders_and_zips_come_in_the_order_of_their_names(folder: Path) -> None:
    assert [name for name, _ in pictures_in(folder)] == ["b.png", "in/y.PNG", "z.png", "sub/a.png"]
    assert [name for name, _ in pictures_in(folder / "more.zip")] == ["in/y.PNG", "z.png"]
    assert [picture.getpixel((0, 0)) for _, picture in pictures_in(folder)] == [
        (255, 0, 0),
        (255, 255, 255),
        (0, 0, 255),
        (0, 255, 0),
    ]


def test_what_is_not_wanted_is_not_decoded(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"not a picture")
    assert [name for name, _ in pictures_in(folder, lambda name: name.startswith("sub/"))] == ["sub/a.png"]


def test_transparency_is_put_on_white(tmp_path: Path) -> None:
    (tmp_path / "clear.png").write_bytes(png("#ff000000", "RGBA"))
    assert [picture.getpixel((0, 0)) for _, picture in pictures_in(tmp_path)] == [(255, 255, 255)]


def test_a_broken_picture_is_named(folder: Path) -> None:
    (folder / "sub" / "broken.png").write_bytes(png("red")[:40])
    with pytest.raises(InputError, match=r"sub/broken.png in .*: "):
        list(pictures_in(folder))


@pytest.mark.parametrize("content", [b"", b"PK\3\4 but no more", b"plain text"])
def test_a_broken_zip_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"bad.zip is not a zip"):
        list(pictures_in(tmp_path))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_picture_is_damaged_is_named(compression: int, tmp_path: Path) -> None:
    file = tmp_path / "bad.zip"
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("a.png", png("red"))
    content = bytearray(file.read_bytes())
    header = 9 if compression == zipfile.ZIP_LZMA else 0  # without which it would be no stream of LZMA
    begin, end = content.index(b"a.png") + len("a.png") + header, content.index(b"PK\1\2")
    content[begin:end] = b"\xff" * (end - begin)
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"bad.zip is not a zip that can be read"):
        list(pictures_in(tmp_path))


def test_an_encrypted_zip_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secret.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.png", png("red"))
    content = bytearray(file.read_bytes())
    content[6] |= 1  # the flag stands before the file and in the directory
    content[content.index(b"PK\1\2") + 8] |= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"secret.zip is not a zip that can be read: .* encrypted"):
        list(pictures_in(tmp_path))


def test_a_picture_too_large_for_a_file_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imagegen.data.folders.MAX_FILE_BYTES", 10)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as archive:
        archive.writestr("a.png", png("red"))
    with pytest.raises(InputError, match=r"a.png in .*bomb.zip is too large"):
        list(pictures_in(tmp_path))


def test_no_picture_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        list(pictures_in(tmp_path))
    with pytest.raises(InputError, match="holds no pictures"):
        list(pictures_in(tmp_path / "nowhere"))
