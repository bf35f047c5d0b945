"""The card: what a checkpoint is, how it was made and what was measured on it, as a Hugging Face model card."""

import re
from dataclasses import asdict, dataclass, field
from typing import Any

import yaml

from imagegen.errors import CheckpointError

__all__ = ["Card", "shown"]

_CARD = re.compile(r"---\n(.*?)\n---\n", re.DOTALL)


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

    def to_markdown(self, name: str) -> str:
        head = {
            "license": self.licence,
            "library_name": "imagegen",
            **{key: value for key, value in asdict(self).items() if key != "licence"},
        }
        training = "\n".join(f"| {key} | {value} |" for key, value in self.training.items() if key != "command")
        figures = "\n".join(
            f"| {key} | {shown(figure['value'])} | {figure.get('bar', '')} | {figure['how']} |"
            for key, figure in self.figures.items()
        )
        return (
            f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)}---\n\n"
            f"# {name}\n\n{self.summary}\n\nTrained on {self.data}. Licence of the weights: {self.licence}.\n\n"
            f"## Training\n\n```\n{self.training.get('command', '')}\n```\n\n| | |\n| --- | --- |\n{training}\n\n"
            f"## Figures\n\nMeasured on the fp16 weights as shipped.\n\n"
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
            head = yaml.safe_load(found[1]) if found else {}
            return cls(head["summary"], head["license"], head["data"], head["training"], head["figures"])
        except (yaml.YAMLError, KeyError, TypeError) as problem:
            raise CheckpointError("The card cannot be read: {problem}", problem=repr(problem)) from problem


def shown(value: object) -> str:
    """A figure as tables show it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
