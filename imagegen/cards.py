"""The card: what a checkpoint is, how it was made and what was measured on it, as a Hugging Face model card."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

import yaml

from imagegen.errors import CheckpointError

__all__ = ["Card", "shown"]

SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The same in C where it is there, which reads the cards ten times as fast."""

_CARD = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)
_NUMBER = re.compile(r"\d+")
MOST_LISTED = 8
"""Names that share a row in the card; of more, the first and the last are said."""


@dataclass
class Card:
    """What a checkpoint is, how it was made and what was measured on it.

    Args:
        summary: what it does, in a sentence or two.
        licence: of the weights, as a Hugging Face licence id.
        data: what it was trained on.
        training: command, commit, seed, hardware, minutes, ...
        figures: name -> {"value": number, "how": conditions, "bar": what it is held against}.
    """

    summary: str
    licence: str
    data: str
    training: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_markdown(self, name: str, drawings: Sequence[str] = ()) -> str:
        """The card of checkpoint `name`, which shows these files of it above the figures."""
        head = {
            "license": self.licence,
            "library_name": "imagegen",
            **{key: value for key, value in asdict(self).items() if key != "licence"},
        }
        training = "\n".join(f"| {key} | {value} |" for key, value in self.training.items() if key != "command")
        pictures = "".join(f"![{PurePosixPath(file).stem}]({file})\n\n" for file in drawings)
        figures = "\n".join(f"| {' | '.join(row)} |" for row in _rows(self.figures))
        return (
            f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)}---\n\n"
            f"# {name}\n\n{self.summary}\n\nTrained on {self.data}. Licence of the weights: {self.licence}.\n\n"
            f"## Training\n\n```\n{self.training.get('command', '')}\n```\n\n| | |\n| --- | --- |\n{training}\n\n"
            f"## Figures\n\nMeasured on the fp16 weights as shipped.\n\n{pictures}"
            f"| figure | value | held against | how |\n| --- | --- | --- | --- |\n{figures}\n"
        )

    @classmethod
    def from_markdown(cls, text: str) -> "Card":
        """Read the YAML head back.

        Raises:
            CheckpointError: there is none, or a field is missing.
        """
        found = _CARD.match(text)
        try:
            head = yaml.load(found[1], SAFE_LOADER) if found else {}
            return cls(head["summary"], head["license"], head["data"], head["training"], head["figures"])
        except (yaml.YAMLError, KeyError, TypeError) as problem:
            raise CheckpointError("The card cannot be read: {problem}", problem=repr(problem)) from problem


def _rows(figures: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, str]]:
    """Name, value, bar and how of the figures in turn; those that differ in numbers only share a row."""

    def alike(item: tuple[str, Mapping[str, Any]]) -> tuple[str, str, str]:
        name, figure = item
        return _NUMBER.sub("0", name), figure.get("bar", ""), figure["how"]

    for (_, bar, how), group in groupby(figures.items(), alike):
        names, entries = zip(*group, strict=True)
        yield _joined(names), ", ".join(shown(figure["value"]) for figure in entries), bar, how


def _joined(names: Sequence[str]) -> str:
    """`x 1 of a`, `x 2 of a` -> `x 1, 2 of a`: what all of as many words share is written once."""
    words = [name.split(" ") for name in names]
    differ = [i for i, column in enumerate(zip(*words, strict=True)) if len(set(column)) > 1]
    if not differ:
        return names[0]
    start, stop = differ[0], differ[-1] + 1
    middle = [" ".join(name[start:stop]) for name in words]
    if len(middle) > MOST_LISTED:
        middle = [f"{middle[0]} … {middle[-1]}"]
    return " ".join([*words[0][:start], ", ".join(middle), *words[0][stop:]])


def shown(value: object) -> str:
    """A figure as tables show it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
