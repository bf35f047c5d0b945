"""MNIST as it is found on disk: three layouts, three splits, and a clear word when a file is missing."""

import gzip
import shutil
from pathlib import Path

import pytest
import torch

from imagegen.data.digits import mnist
from imagegen.data.pictures import Pictures
from imagegen.errors import InputError


def unpack(source: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    for packed in source.glob("*.gz"):
        (target / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    return target


def test_packed_files_plain_files_and_a_torchvision_root_read_the_same(mnist_root: Path, tmp_path: Path) -> None:
    packed = mnist(mnist_root, "test")
    unpack(mnist_root, tmp_path / "torchvision" / "MNIST" / "raw")
    for root in (unpack(mnist_root, tmp_path / "plain"), tmp_path / "torchvision"):
        assert torch.equal(mnist(root, "test").pixels, packed.pixels)
    assert packed.labels.tolist() == [i % 10 for i in range(40)]


def test_reading_leaves_the_folder_as_it_was(mnist_root: Path) -> None:
    before = sorted(mnist_root.rglob("*"))
    mnist(mnist_root, "train")
    assert sorted(mnist_root.rglob("*")) == before


def test_train_and_validation_share_the_training_files_and_no_digit(mnist_root: Path) -> None:
    train, validation, test = (mnist(mnist_root, split) for split in ("train", "validation", "test"))
    assert [len(part) for part in (train, validation, test)] == [100, 100, 40]
    digits = torch.cat([train.pixels, validation.pixels, test.pixels]).flatten(1)
    assert len(digits.unique(dim=0)) == 240


def test_pixels_are_handed_out_from_minus_one_to_one() -> None:
    levels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1, 1)
    pictures = Pictures(levels, torch.tensor([4, 5, 6]))
    values, labels = pictures[torch.tensor([2, 0, 1])]
    assert values.flatten().tolist() == pytest.approx([1, -1, -0.6])
    assert labels.tolist() == [6, 4, 5]
    part = pictures.part(1, 3)
    assert (len(part), part.labels.tolist()) == (2, [5, 6])


def test_a_missing_file_is_named(mnist_root: Path, tmp_path: Path) -> None:
    shutil.copytree(mnist_root, tmp_path / "mnist")
    (tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte\.gz is missing"):
        mnist(tmp_path / "mnist", "test")
