"""Pictures of a folder or a zip, as Hugging Face's imagefolder lays them out."""

import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from imagegen.errors import InputError
from imagegen.images import MAX_FILE_BYTES, open_picture

__all__ = ["pictures_at", "pictures_in"]

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}


def pictures_in(path: Path, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[tuple[str, Image.Image]]:
    """Names and pictures below a folder, of the zips in it, or of a zip, in the order of their names.

    Args:
        path: folder or zip.
        wanted: chooses by the name (`folder/name.png`, relative to the folder or zip) before decoding.

    Raises:
        InputError: there is no picture, or one that is too large or damaged, named in the message.
    """
    found = False
    for name, content in _files(path):
        found = True
        if not wanted(name):
            continue
        try:
            picture = open_picture(content)
        except InputError as problem:
            raise InputError("{name} in {path}: {problem}", name=name, path=path, problem=problem) from problem
        yield name, picture
    if not found:
        raise InputError("{path} holds no pictures; name a folder or a zip of PNG or JPEG files.", path=path)


def pictures_at(path: Path) -> Iterator[tuple[str, Image.Image]]:
    """One picture by its file name, whatever that is, or all of a folder or zip, as `pictures_in`."""
    if path.is_file() and path.suffix != ".zip":
        yield path.name, open_picture(path)
    else:
        yield from pictures_in(path)


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.suffix == ".zip" and path.is_file():
        yield from _zipped(path)
    else:
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            if file.suffix == ".zip":
                yield from _zipped(file)
            elif file.suffix.lower() in SUFFIXES:
                yield file.relative_to(path).as_posix(), file.read_bytes()


def _zipped(path: Path) -> Iterator[tuple[str, bytes]]:
    with _refusing_unreadable(path):
        archive = zipfile.ZipFile(path)
    with archive:
        for info in sorted(archive.infolist(), key=lambda info: info.filename):
            if Path(info.filename).suffix.lower() not in SUFFIXES:
                continue
            if info.file_size > MAX_FILE_BYTES:
                raise InputError("{name} in {path} is too large.", name=info.filename, path=path)
            with _refusing_unreadable(path):
                content = archive.read(info)
            yield info.filename, content


@contextmanager
def _refusing_unreadable(path: Path) -> Iterator[None]:
    """What is damaged or, as a RuntimeError, encrypted."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, OSError, EOFError) as problem:
        raise InputError("{path} is not a zip that can be read: {problem}", path=path, problem=problem) from problem
