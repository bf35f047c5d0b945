"""Make the page's example photos again, from pictures that scikit-image and scikit-learn bring along.

    pip install scikit-image scikit-learn
    python scripts/example_photos.py imagegen/ui/examples

Who took them, and on what terms, stands in ATTRIBUTION.md beside them.
"""

import sys
from importlib.resources import files
from pathlib import Path

from PIL import Image

SIDE = 512
QUALITY = 88
PHOTOS = {
    "astronaut": ("skimage.data", "astronaut.png"),
    "chelsea": ("skimage.data", "chelsea.png"),
    "china": ("sklearn.datasets.images", "china.jpg"),
    "coffee": ("skimage.data", "coffee.png"),
    "flower": ("sklearn.datasets.images", "flower.jpg"),
    "rocket": ("skimage.data", "rocket.jpg"),
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (package, file) in PHOTOS.items():
        with files(package).joinpath(file).open("rb") as opened:
            photo = Image.open(opened).convert("RGB")
        photo.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        photo.save(folder / f"{name}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
