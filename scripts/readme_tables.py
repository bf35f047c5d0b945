"""Fill the README's tables from the checkpoints' cards; `--check` fails where they have drifted.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from imagegen.cards import Card, shown
from imagegen.checkpoints import Checkpoint
from imagegen.evaluation.anchors import ROTATED
from imagegen.training.recipe import Recipe
from imagegen.training.recipes import RECIPES, SIZES, build

ROOT = Path(__file__).parent.parent
READMES = ("README.md",)
ALWAYS = ("FID", f"FID over that of real digits {ROTATED}")
"""Figures that the README's table shows even of a baseline, which is held against nothing."""
TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def cards() -> dict[str, Card]:
    folders = sorted(path.parent for path in (ROOT / "checkpoints").glob("*/SHA256SUMS"))
    return {folder.name: Checkpoint(folder).card() for folder in folders}


def checkpoints_table() -> str:
    rows = [
        f"| [`{name}`](checkpoints/{name}/README.md) | {card.summary} | {card.training['minutes']:g} min, "
        f"{card.training['hardware']} | {card.licence} |"
        for name, card in cards().items()
    ]
    return "\n".join(["| checkpoint | what it is | training | licence |", "| --- | --- | --- | --- |", *rows])


def figures_table() -> str:
    """Figures that are held against something, and every FID; the rest stands in the cards."""
    rows = [
        f"| `{name}` | {key} | {shown(figure['value'])} | {figure.get('bar', '')} | {figure['how']} |"
        for name, card in cards().items()
        for key, figure in card.figures.items()
        if figure.get("bar") or key in ALWAYS
    ]
    return "\n".join(["| checkpoint | figure | value | held against | how |", "| --- | --- | --- | --- | --- |", *rows])


def recipes_table() -> str:
    rows = []
    for name in sorted(RECIPES):
        recipe, *columns = (build(name, "small", seed=0), *(_plan(build(name, size, seed=0)) for size in SIZES))
        rows.append(f"| `{name}` | {', '.join(recipe.needs)} | {' | '.join(columns)} |")
    return "\n".join(["| recipe | data | small | large |", "| --- | --- | --- | --- |", *rows])


def _plan(recipe: Recipe) -> str:
    averages = [network for name, network in recipe.networks.items() if name.startswith("average")]
    networks = averages or [network for name, network in recipe.networks.items() if name != "heads"]
    shipped = sum(p.numel() for network in networks for p in network.parameters())
    return f"{shipped / 1e6:.2f} M, {recipe.steps:,} steps of {recipe.batch}"


TABLES = {"checkpoints": checkpoints_table, "figures": figures_table, "recipes": recipes_table}


def filled(text: str) -> str:
    return TABLE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", text)


def main() -> None:
    for name in READMES:
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        new = filled(text)
        if "--check" in sys.argv and new != text:
            sys.exit(f"{name}: a table is not what the cards say. Run: make tables")
        if new != text:
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
