"""The words that captions are made of: where one ends and the next begins, and which words were never taught."""

import difflib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

__all__ = ["CHINESE", "Lexicon", "Span", "pieces"]

Span = tuple[int, int]
"""Where a word begins in a text, and one past its end."""

CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
NEAREST, LIKENESS = 2, 0.6
LONGEST = 24
"""Characters of a word that is compared with others."""


def pieces(text: str) -> list[Span]:
    """Stretches of one kind: a word in letters and digits, Chinese without a break, or signs such as emoji."""
    found = []
    for kind, places in groupby(range(len(text)), key=lambda i: _kind(text, i)):
        start, *_ = inside = list(places)
        if kind:
            found.append((start, start + len(inside)))
    return found


def _kind(text: str, i: int) -> str:
    """ "" for what lies between words."""
    category = unicodedata.category(text[i])
    if category[0] == "M" and i:  # belongs to the character before
        return _kind(text, i - 1)
    if CHINESE.match(text[i]):
        return "chinese"
    return {"L": "word", "N": "word", "M": "word", "S": "sign"}.get(category[0], "")


@dataclass(frozen=True)
class Lexicon:
    """Lower-case words without spaces.

    Args:
        words: of English and any other writing with spaces.
        chinese: of Chinese, of one or more characters.
    """

    words: frozenset[str]
    chinese: frozenset[str]

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Lexicon":
        """Of texts in which each stretch of Chinese is a word."""
        found = {text[start:end].lower() for text in texts for start, end in pieces(text)}
        chinese = frozenset(word for word in found if CHINESE.match(word))
        return cls(frozenset(found) - chinese, chinese)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Lexicon":
        content = json.loads(text)
        return cls(frozenset(content["words"]), frozenset(content["chinese"]))

    def to_json(self) -> str:
        return json.dumps({"words": sorted(self.words), "chinese": sorted(self.chinese)}, ensure_ascii=False)

    def split(self, text: str) -> list[Span]:
        """Where the words of a text are; Chinese is cut into words that are known, and what is left between them."""
        found: list[Span] = []
        for start, end in pieces(text):
            found += self._cut(text, start, end) if CHINESE.match(text[start]) else [(start, end)]
        return found

    def unknown(self, text: str, most: int = 8) -> dict[str, tuple[str, ...]]:
        """The first words of a text that no caption has, each with those that look most like it."""
        said = dict.fromkeys(text[start:end].lower() for start, end in self.split(text))
        strange = [word for word in said if word not in self.words and word not in self.chinese]
        return {word: self._nearest(word[:LONGEST]) for word in strange[:most]}

    def _nearest(self, word: str) -> tuple[str, ...]:
        if not CHINESE.match(word):
            near = [known for known in self.words if abs(len(known) - len(word)) <= 3]
            return tuple(difflib.get_close_matches(word, sorted(near), NEAREST, LIKENESS))
        alike = {known: len({*known} & {*word}) / len({*known} | {*word}) for known in self.chinese}
        best = sorted(alike, key=lambda known: (-alike[known], known))[:NEAREST]
        return tuple(known for known in best if alike[known] > 0)

    def _cut(self, text: str, start: int, end: int) -> list[Span]:
        """The way through a stretch of Chinese with the fewest characters left over, and then the fewest words."""
        longest = max(map(len, self.chinese), default=1)
        best: dict[int, tuple[int, int, list[Span]]] = {start: (0, 0, [])}
        for at in range(start, end):
            left_over, count, spans = best[at]
            for stop in range(at + 1, min(end, at + longest) + 1):
                known = text[at:stop] in self.chinese
                if known or stop == at + 1:
                    way = (left_over + (not known), count + 1, [*spans, (at, stop)])
                    best[stop] = min(best.get(stop, way), way, key=lambda way: way[:2])
        found: list[Span] = []
        for known, stretch in groupby(best[end][2], key=lambda span: text[slice(*span)] in self.chinese):
            spans = list(stretch)
            found += spans if known else [(spans[0][0], spans[-1][1])]
        return found
