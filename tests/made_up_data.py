"""Made-up faces and emoji on disk, laid out as the real sets are, for tests that read them."""

import csv
import io
import json
import zipfile
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from PIL import Image

from imagegen.data.emoji import made_up_emoji
from imagegen.data.faces import ATTRIBUTES, made_up_faces
from imagegen.data.pictures import Sources

__all__ = ["TEST_FACES", "TRAINING_FACES", "write_sources"]

TRAINING_FACES, TEST_FACES = 64, 30
FIRST_IDS = {1: TRAINING_FACES, 160_000: 10, 170_000: TEST_FACES}
"""CelebA's first id in each split, and how many from there."""


def write_sources(root: Path) -> Sources:
    """104 faces of which 30 are held out, and 48 emoji of four names, of which one is."""
    (root / "celeba").mkdir()
    people = made_up_faces()
    with (root / "celeba" / "attributes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", *ATTRIBUTES])
        ids = chain.from_iterable(range(first, first + count) for first, count in FIRST_IDS.items())
        for name, pixels, labels in zip(ids, people.pixels, people.labels, strict=False):
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(root / "celeba" / f"{name:06d}.png")
            table.writerow([f"{name:06d}.png", *labels.tolist()])
    (root / "emoji").mkdir()
    icons, facts = made_up_emoji()
    lines = [json.dumps({"file_name": f"noto/{i:02d}.png", **asdict(fact)}) for i, fact in enumerate(facts)]
    (root / "emoji" / "captions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with zipfile.ZipFile(root / "emoji" / "images.zip", "w") as archive:
        for i, pixels in enumerate(icons.pixels):
            content = io.BytesIO()
            Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(content, "PNG")
            archive.writestr(f"noto/{i:02d}.png", content.getvalue())
    return Sources((root / "celeba", root / "emoji"), checkpoints=root / "checkpoints")
