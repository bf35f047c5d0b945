"""Paint the README's grid: five photos, each as it is and in eight styles, by the shipped `style-fast`.

python scripts/style_grid.py docs/style.jpg
"""

import sys
from pathlib import Path

import torch
from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).parents[1]))

from imagegen.images import grid, to_pictures, to_tensor
from imagegen.store import ModelStore
from imagegen.tasks import style
from imagegen.ui.bringing import example

PHOTOS = ("chelsea", "astronaut", "coffee", "china", "flower")
STYLES = (
    "van-gogh-starry-night-1889",
    "hokusai-great-wave-1831",
    "kandinsky-composition-vii-1913",
    "monet-water-lilies-1919",
    "munch-the-scream-1893",
    "picabia-udnie-1913",
    "leger-contrast-of-forms-1913",
    "turner-shipwreck-1805",
)
SIDE, GAP, QUALITY = 176, 4, 85


def painted(store: ModelStore, side: int = SIDE) -> Image.Image:
    """The grid of (5 photos) x (1 + 8) squares; styles that the store does not have are left out."""
    names = [name for name in STYLES if name in style.style_names(store)]
    squares = []
    for photo in PHOTOS:
        square = ImageOps.fit(example(photo), (2 * side, 2 * side), Image.Resampling.LANCZOS)
        squares.append(square.resize((side, side), Image.Resampling.LANCZOS))
        for name in names:
            request = style.StyleRequest(to_tensor(square), style=(name,), size=2 * side)
            *_, last = style.run(request, store)
            squares.append(to_pictures(last.images)[0].resize((side, side), Image.Resampling.LANCZOS))
    return grid(squares, 1 + len(names), GAP)


def main(output: Path) -> None:
    store = ModelStore(Path(__file__).parents[1] / "checkpoints", torch.device("cpu"))
    painted(store).save(output, quality=QUALITY)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
