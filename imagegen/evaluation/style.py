"""Figures of style transfer, all on one loss: (C), content and Gram matrices of VGG-19 at three scales.

Loss and pictures are those that people get, rounded to 8 bits. The yardstick is the slow way: 300 iterations of
L-BFGS on the very same loss, from the photo. It takes a minute or two a pair on a CPU, so few pairs are measured there.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from statistics import geometric_mean, mean, median
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from imagegen.data.photos import photos
from imagegen.data.pictures import Sources
from imagegen.data.styles import squares, styles
from imagegen.devices import synchronize
from imagegen.evaluation.features import as_saved
from imagegen.evaluation.measures import Figures, figure
from imagegen.models.gatys import gatys
from imagegen.models.perceptual import load_vgg
from imagegen.models.style import STYLE_WEIGHT, FastStyle, FeatureNetwork, Objective
from imagegen.store import ModelStore

__all__ = ["Judge", "evaluate_fast", "evaluate_features"]

SIDE = 256
ITERATIONS = 300
PAIRS = {"cuda": (20, 12), "cpu": (2, 2)}
"""Photos and styles that are measured by default, all photos with all styles."""
TIMED = 5
"""Runs of which the median counts."""

T = TypeVar("T")


def evaluate_fast(store: ModelStore, name: str, sources: Sources, pairs: tuple[int, int] | None = None) -> Figures:
    """How near one pass comes to the slow way, on held-out photos and styles, and how much sooner.

    Args:
        sources: photos, styles, and the folder of VGG-19.
        pairs: photos and styles of each kind; None for all on a GPU and two of each on a CPU.

    Raises:
        InputError, CheckpointError: data or VGG-19 are not there.
    """
    network = cast(FastStyle, store.get(name))
    judge = Judge(store.device, sources)
    figures: Figures = {}
    for split, kind, bar in (("test", "held-out styles", "≤ 2.5"), ("named", "named styles", "≤ 1.5")):
        over_slow, unchanged_over_slow = [], []
        photo_count, style_count = pairs or PAIRS.get(store.device.type, PAIRS["cpu"])
        for photo, painting, style in judge.pairs(split, photo_count, style_count):
            with torch.no_grad():
                code = _code(store, name, style) if split == "named" else network.encode(painting)
                fast = judge.loss(network.paint(photo, code), photo, painting)
            slow = judge.loss(_slowly(judge.objective, photo, painting), photo, painting)
            over_slow.append(fast / slow)
            unchanged_over_slow.append(judge.loss(photo, photo, painting) / slow)
        how = (
            f"mean of {len(over_slow)} pairs, {photo_count} held-out photos x {style_count} {kind} at {SIDE}², content "
            f"relu3_1 + {STYLE_WEIGHT:g} x Gram relu1_1, relu2_1, relu3_1 of VGG-19 at x1, x1/2, x1/4"
        )
        figures |= {
            f"loss over that of {ITERATIONS} L-BFGS iterations, {kind}": figure(mean(over_slow), how, bar),
            f"loss of the unchanged photo over the same, {kind}": figure(mean(unchanged_over_slow), how, "≥ 10"),
        }
    photo, painting, _ = next(judge.pairs("named", 1, 1))
    code = network.encode(painting)
    ratio = _times_slower(
        _iterations(judge.objective, photo, painting), lambda: network.paint(photo, code), store.device
    )
    how = f"{ITERATIONS} x one iteration over one pass at {SIDE}², medians of {TIMED}, in turn, on {store.device.type}"
    figures[f"speed over {ITERATIONS} Gatys iterations"] = figure(ITERATIONS * ratio, how, "≥ 200")
    parameters = sum(p.numel() for p in network.parameters())
    return {**figures, "parameters": figure(parameters, "all of the network")}


def evaluate_features(store: ModelStore, name: str, sources: Sources, pairs: tuple[int, int] | None = None) -> Figures:
    """What the slow way paints with these features in the eyes of VGG-19, and how fast it is.

    Args, Raises: as for `evaluate_fast`.
    """
    network = cast(FeatureNetwork, store.get(name))
    judge = Judge(store.device, sources)
    ours = Objective(partial(network.features, last="relu3_1"))
    over_vgg, over_unchanged = [], []
    counts = pairs or PAIRS.get(store.device.type, PAIRS["cpu"])
    for photo, painting, _ in judge.pairs("named", *counts):
        loss = judge.loss(_slowly(ours, photo, painting), photo, painting)
        over_vgg.append(loss / judge.loss(_slowly(judge.objective, photo, painting), photo, painting))
        over_unchanged.append(loss / judge.loss(photo, photo, painting))
    how = (
        f"geometric mean of {len(over_vgg)} pairs, {counts[0]} held-out photos x {counts[1]} named styles at {SIDE}², "
        f"{ITERATIONS} L-BFGS iterations"
    )
    photo, painting, _ = next(judge.pairs("named", 1, 1))
    speed = _times_slower(
        _iterations(judge.objective, photo, painting), _iterations(ours, photo, painting), store.device
    )
    return {
        "VGG-19's loss, painted with these features, over painted with VGG-19": figure(geometric_mean(over_vgg), how),
        "VGG-19's loss, painted with these features, over the unchanged photo": figure(
            geometric_mean(over_unchanged), how, "0.1 or less with VGG-19"
        ),
        "speed of an iteration over VGG-19 to relu3_1": figure(speed, f"at {SIDE}², medians of {TIMED}, in turn"),
        "parameters": figure(sum(p.numel() for p in network.parameters()), "all of the network", "≤ 1,000,000"),
    }


class Judge:
    """VGG-19's loss, and the pairs that are measured."""

    def __init__(self, device: torch.device, sources: Sources) -> None:
        self.device, self.sources = device, sources
        self.objective = Objective(load_vgg(sources.features).to(device))

    def pairs(self, split: str, photo_count: int, style_count: int) -> Iterator[tuple[Tensor, Tensor, str]]:
        """Every photo with every style, both (1, 3, 256, 256) in [-1, 1], and the style's name.

        They are spread evenly over what there is.
        """
        names, paintings = zip(*_spread(list(styles(self.sources.root(1), split).items()), style_count), strict=True)
        chosen = _spread(photos(self.sources.root(), "validation"), photo_count), paintings
        of_photos, of_styles = (squares(pictures, SIDE).to(self.device) / 127.5 - 1 for pictures in chosen)
        named = list(zip(torch.split(of_styles, 1), names, strict=True))
        return ((photo, style, name) for photo, (style, name) in product(torch.split(of_photos, 1), named))

    @torch.no_grad()
    def loss(self, picture: Tensor, photo: Tensor, painting: Tensor) -> float:
        contents, _ = self.objective.measure(photo)
        _, grams = self.objective.measure(painting)
        content, style = self.objective.losses(as_saved(picture).to(self.device), contents, grams)
        return (content + STYLE_WEIGHT * style).item()


def _code(store: ModelStore, name: str, style: str) -> Tensor:
    """The code (1, code) that a named style is shipped with."""
    return store.asset(name, style)[None].to(store.device)


def _slowly(objective: Objective, photo: Tensor, painting: Tensor) -> Tensor:
    *_, last = gatys(objective, photo, painting, ITERATIONS)
    return last.picture


def _iterations(objective: Objective, photo: Tensor, painting: Tensor) -> Callable[[], Any]:
    """A function that does the next iteration of the slow way."""
    steps = gatys(objective, photo, painting, TIMED + 1)
    return lambda: next(steps)


def _times_slower(slow: Callable[[], Any], fast: Callable[[], Any], device: torch.device) -> float:
    """Seconds of one over those of the other, medians of runs in turn after one that does not count."""
    seconds = [(_seconds(slow, device), _seconds(fast, device)) for _ in range(TIMED + 1)][1:]
    return median(pair[0] for pair in seconds) / median(pair[1] for pair in seconds)


@torch.no_grad()
def _seconds(work: Callable[[], Any], device: torch.device) -> float:
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def _spread(things: Sequence[T], count: int) -> list[T]:
    """`count` of them, evenly spread."""
    return [things[i * len(things) // count] for i in range(min(count, len(things)))]
