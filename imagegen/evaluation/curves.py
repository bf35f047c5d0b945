"""FID by solver and steps, loss by noise level, distortion against perception: what a card calls them, and drawn.

Light to import: the page reads them too.
"""

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise

from imagegen.cards import Card

__all__ = [
    "MIXTURES",
    "PERCEPTUAL",
    "TRADE",
    "charts",
    "fid_name",
    "line_chart",
    "loss_curve",
    "loss_name",
    "mixture",
    "mixture_curve",
    "solver_table",
    "thinned",
]

_FID = re.compile(r"FID-[\d.]+k (\S+) (\d+) steps")
_LOSS = re.compile(r"loss at t (\d+) to (\d+)")

MIXTURES = (0, 25, 50, 75)
"""Percents of `srgan-x4` that are measured beside itself; the rest is `sr-x4`."""
PERCEPTUAL = "perceptual distance over bicubic's"
TRADE = "assets/distortion-and-perception.svg"
"""The file that shows one against the other."""

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 48, 556, 64, 308
"""Edges of the field in which the lines run, in pixels."""
LINE_HEIGHT = 16
COLOURS = ("#4f7fc4", "#c0792e", "#2c9285", "#b0628f", "#85873f")
"""Of the lines; each, and that of the words, stands out from white as much as from black."""
QUIET = "#7b7b77"


def fid_name(count: int, solver: str, steps: int) -> str:
    """The figure that `solver_table` finds: `FID-0.5k ddim 10 steps`."""
    return f"FID-{count / 1000:g}k {solver} {steps} steps"


def loss_name(first: int, last: int) -> str:
    """The figure that `loss_curve` finds: `loss at t 0 to 49`."""
    return f"loss at t {first} to {last}"


def solver_table(card: Card) -> dict[str, list[tuple[int, float]]]:
    """Solver -> (steps, FID), fewest steps first; empty where it was not measured."""
    table: dict[str, list[tuple[int, float]]] = {}
    for name, figure in card.figures.items():
        if found := _FID.fullmatch(name):
            table.setdefault(found[1], []).append((int(found[2]), figure["value"]))
    return {solver: sorted(points) for solver, points in table.items()}


def loss_curve(card: Card) -> list[tuple[int, int, float]]:
    """(first t, last t, loss) of each stretch of noise levels from t = 0 on; empty where it was not measured."""
    found = ((_LOSS.fullmatch(name), figure["value"]) for name, figure in card.figures.items())
    return sorted((int(name[1]), int(name[2]), loss) for name, loss in found if name)


def mixture(percent: int) -> str:
    """What follows the name of a figure that was measured on a mixture: ` of 25 % srgan-x4`."""
    return f" of {percent} % srgan-x4"


def mixture_curve(card: Card) -> list[tuple[float, float]]:
    """(PSNR below that of sr-x4, perceptual distance over bicubic's) on Set14, from sr-x4 to srgan-x4.

    Last comes bicubic interpolation, whose distance is 1. Empty where it was not measured.
    """
    ways = [*map(mixture, MIXTURES), "", " of bicubic"]
    values = {name: figure["value"] for name, figure in card.figures.items()}
    values[f"Set14: {PERCEPTUAL} of bicubic"] = 1.0
    try:
        points = [(values[f"Set14: PSNR{way}"], values[f"Set14: {PERCEPTUAL}{way}"]) for way in ways]
    except KeyError:
        return []
    return [(points[0][0] - psnr, distance) for psnr, distance in points]


def thinned(history: Sequence[Mapping[str, float]], count: int) -> list[dict[str, float]]:
    """At most `count` lines of a training's history: the losses are means since the line before."""
    count = min(count, len(history))
    bounds = [round(i * len(history) / (count or 1)) for i in range(count + 1)]
    stretches = [history[first:last] for first, last in pairwise(bounds)]
    return [
        {key: sum(line[key] for line in lines) / len(lines) for key in lines[0]}
        | {key: lines[-1][key] for key in ("step", "seconds")}
        for lines in stretches
    ]


def charts(card: Card) -> dict[str, str]:
    """Drawings of the curves that the card holds, as file of the checkpoint -> SVG."""
    drawn = {}
    if table := solver_table(card):
        drawn["assets/fid-by-steps.svg"] = line_chart(table, "FID by solver and steps", "steps", "FID", True, True)
    if losses := loss_curve(card):
        points = [((first + last) / 2, loss) for first, last, loss in losses]
        drawn["assets/loss-by-timestep.svg"] = line_chart(
            {"loss": points}, "Loss by noise level", "t", "mean squared error of the velocity"
        )
    if curve := mixture_curve(card):
        lines = {"bicubic": curve[-1:], "sr-x4": curve[:1], "srgan-x4": curve[:-1]}
        drawn[TRADE] = line_chart(lines, "Distortion and perception, Set14", "PSNR below that of sr-x4, dB", PERCEPTUAL)
    return drawn


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]],
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    log_y: bool = False,
) -> str:
    """An SVG of lines, each with its name at its end, for light and dark pages.

    Args:
        series: name -> points (x, y) from left to right, finite, and positive along a logarithmic axis.
        log_x, log_y: axes in powers of ten; the others begin at 0.
    """
    x_ticks = _ticks([x for points in series.values() for x, _ in points], log_x)
    y_ticks = _ticks([y for points in series.values() for _, y in points], log_y)
    lines = [
        [(_place(x, x_ticks, log_x, LEFT, RIGHT), _place(y, y_ticks, log_y, BOTTOM, TOP)) for x, y in points]
        for points in series.values()
    ]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13" fill="{QUIET}">',
        f'<text x="{LEFT}" y="22" font-size="16" font-weight="600">{escape(title)}</text>',
        f'<text x="{LEFT}" y="46">{escape(y_label)}</text>',
        f'<text x="{RIGHT}" y="{BOTTOM + 40}" text-anchor="end">{escape(x_label)}</text>',
    ]
    for tick in x_ticks:
        x = _place(tick, x_ticks, log_x, LEFT, RIGHT)
        parts.append(f'<text x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{tick:g}</text>')
    for tick in y_ticks:
        y = _place(tick, y_ticks, log_y, BOTTOM, TOP)
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
        parts.append(f'<path d="M{LEFT} {y:.1f}H{RIGHT}" stroke="{QUIET}" stroke-opacity="0.25"/>')
    heights = _apart([line[-1][1] for line in lines])
    for i, (name, line, height) in enumerate(zip(series, lines, heights, strict=True)):
        parts.append(_line(name, line, height, COLOURS[i % len(COLOURS)]))
    return "\n".join([*parts, "</svg>\n"])


def _line(name: str, points: Sequence[tuple[float, float]], height: float, colour: str) -> str:
    """A line through points in pixels, and from its end a thread to its name at this height."""
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return "\n".join(
        [
            f'<polyline points="{corners}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points),
            f'<path d="M{x:.1f} {y:.1f}L{x + 16:.1f} {height:.1f}" stroke="{colour}" stroke-opacity="0.5"/>',
            f'<text x="{x + 20:.1f}" y="{height + 4:.1f}" fill="{colour}">{escape(name)}</text>',
        ]
    )


def _ticks(values: Sequence[float], log: bool) -> list[float]:
    """Round numbers along an axis, the first and the last around all values."""
    if log:
        return _round_numbers(min(values), max(values))
    low, high = min(0, *values), max(0, *values)
    fifth = (high - low) / 5 or 1
    step = _round_numbers(fifth, fifth)[-1]
    return [step * i for i in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _round_numbers(low: float, high: float) -> list[float]:
    """1, 2 or 5 times a power of ten: from the last that is not above `low` to the first that is not below `high`."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    numbers = [digit * 10.0**exponent for exponent in exponents for digit in (1, 2, 5)]
    first = max(number for number in numbers if number <= low)
    last = min(number for number in numbers if number >= high)
    return [number for number in numbers if first <= number <= last]


def _place(value: float, ticks: Sequence[float], log: bool, start: float, end: float) -> float:
    """In pixels, where the first tick lies at `start` and the last at `end`."""
    low, high, at = (math.log(v) if log else v for v in (ticks[0], ticks[-1], value))
    return start + (end - start) * (at - low) / ((high - low) or 1)


def _apart(heights: Sequence[float]) -> list[float]:
    """Where to write names that belong at these heights: a line apart, in the same order, none below the field."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    placed = list(heights)
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + LINE_HEIGHT)
    placed[order[-1]] = min(placed[order[-1]], BOTTOM)
    for below, above in pairwise(reversed(order)):
        placed[above] = min(placed[above], placed[below] - LINE_HEIGHT)
    return placed
