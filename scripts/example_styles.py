"""Draw the page's example styles again, which are nobody's paintings but this script's.

python scripts/example_styles.py imagegen/ui/examples
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE, DOUBLE = 384, 768  # drawn at twice the size, so that edges are smooth
QUALITY = 88
Colour = tuple[int, int, int]


def strokes(rng: np.random.Generator) -> Image.Image:
    """Short thick brush strokes that follow whirls, night blue to gold."""
    night: list[Colour] = [
        (18, 32, 74),
        (30, 66, 130),
        (62, 112, 172),
        (132, 172, 204),
        (236, 196, 86),
        (250, 228, 150),
    ]
    picture = Image.new("RGB", (DOUBLE, DOUBLE), night[0])
    draw = ImageDraw.Draw(picture)
    whirls = rng.uniform(0, DOUBLE, (6, 2))
    for _ in range(5200):
        place = rng.uniform(0, DOUBLE, 2)
        away = place - whirls
        distance = np.hypot(*away.T)
        pull = np.exp(-distance / 150)[:, None]
        flow = (np.stack([-away[:, 1], away[:, 0]], 1) / distance[:, None] * pull).sum(0)
        flow += np.array([0.25, 0.08])
        flow *= rng.uniform(18, 44) / np.hypot(*flow)
        bright = np.clip(1.25 * np.exp(-distance.min() / 70) + rng.normal(0.18, 0.16), 0, 0.999)
        colour = np.array(night[int(bright * len(night))]) + rng.normal(0, 9, 3)
        bend = flow[::-1] * (0.25, -0.25)
        line = [tuple(place), tuple(place + flow / 2 + bend), tuple(place + flow)]
        draw.line(line, fill=_ink(colour), width=int(rng.integers(6, 12)), joint="curve")
    return picture


def mosaic(rng: np.random.Generator) -> Image.Image:
    """Stones of glass in rows that bend, warm and green, with dark joints."""
    glass = np.array([(196, 64, 44), (228, 140, 52), (240, 206, 120), (44, 116, 104), (24, 62, 92), (238, 230, 208)])
    y, x = np.mgrid[:DOUBLE, :DOUBLE].astype(np.float32)
    seeds = np.stack(np.meshgrid(np.arange(12, DOUBLE + 30, 34), np.arange(12, DOUBLE + 30, 34)), -1).reshape(-1, 2)
    seeds = seeds + rng.normal(0, 6.5, seeds.shape)
    nearest, first, second = (
        np.zeros(x.shape, int),
        np.full(x.shape, 1e9, np.float32),
        np.full(x.shape, 1e9, np.float32),
    )
    for i, (left, top) in enumerate(seeds):
        distance = np.hypot(x - left, y - top)
        closer = distance < first
        second = np.where(closer, first, np.minimum(second, distance))
        nearest, first = np.where(closer, i, nearest), np.where(closer, distance, first)
    band = np.sin(seeds[:, 0] / 90 + 1.6 * np.sin(seeds[:, 1] / 120)) + rng.normal(0, 0.35, len(seeds))
    kinds = np.clip((band + 1.6) / 3.2 * len(glass), 0, len(glass) - 1).astype(int)
    shade = glass[kinds] * rng.uniform(0.82, 1.12, (len(seeds), 1))
    pixels = np.where((second - first < 4.5)[..., None], (38, 30, 30), shade[nearest])
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def waves(rng: np.random.Generator) -> Image.Image:
    """Ink lines that swell and break, indigo on rice paper."""
    picture = Image.new("RGB", (DOUBLE, DOUBLE), (240, 230, 206))
    draw = ImageDraw.Draw(picture)
    x = np.arange(-40, DOUBLE + 40, 6)
    inks: list[Colour] = [(28, 52, 104), (70, 112, 158), (150, 182, 196), (240, 230, 206)]
    for row in range(-60, DOUBLE + 160, 13):
        swell = 46 * np.sin(x / 104 + row / 57) + 20 * np.sin(x / 41 - row / 83 + rng.normal(0, 0.1))
        line = [(float(a), float(row + b)) for a, b in zip(x, swell, strict=True)]
        ink = inks[(row // 13) % 7 % len(inks)]
        draw.line(line, fill=ink, width=int(9 + 5 * np.sin(row / 60)), joint="curve")
        if row % 3 == 0:
            for a, b in line[:: int(rng.integers(14, 30))]:
                draw.ellipse((a - 8, b - 20, a + 8, b - 4), outline=inks[0], width=3, fill=inks[3])
    return picture


def shapes(rng: np.random.Generator) -> Image.Image:
    """Circles, arcs and bars in strong colours, thrown over one another."""
    inks: list[Colour] = [(216, 48, 40), (244, 186, 40), (30, 84, 160), (24, 26, 32), (46, 140, 96), (232, 116, 60)]
    picture = Image.new("RGB", (DOUBLE, DOUBLE), (242, 234, 216))
    for _ in range(150):
        layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
        draw = ImageDraw.Draw(layer)
        a, b = rng.uniform(-40, DOUBLE, 2)
        size = float(rng.uniform(14, 120))
        ink = (*inks[int(rng.integers(len(inks)))], int(rng.integers(150, 256)))
        kind = int(rng.integers(4))
        if kind == 0:
            draw.ellipse((a, b, a + size, b + size), fill=ink)
        elif kind == 1:
            draw.ellipse((a, b, a + size, b + size), outline=ink, width=7)
        elif kind == 2:
            draw.line((a, b, a + size * rng.uniform(-2, 2), b + size * rng.uniform(-2, 2)), fill=ink, width=8)
        else:
            draw.polygon([(a + float(u), b + float(v)) for u, v in rng.uniform(0, size, (3, 2))], fill=ink)
        picture = Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")
    return picture


def _ink(colour: np.ndarray) -> Colour:
    red, green, blue = np.clip(colour, 0, 255).astype(int).tolist()
    return red, green, blue


STYLES: tuple[Callable[[np.random.Generator], Image.Image], ...] = (mosaic, shapes, strokes, waves)


def main(folder: Path) -> None:
    for seed, style in enumerate(STYLES):
        picture = style(np.random.default_rng(seed)).filter(ImageFilter.GaussianBlur(0.6))
        picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(folder / f"{style.__name__}.jpg", quality=QUALITY)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
