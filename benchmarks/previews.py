"""What showing the steps of a diffusion run costs: the same run with previews over the one without.

python benchmarks/previews.py [RUNS]

Two apps serve side by side: app.py, and the same app whose previews are never due. They are asked in turn for a run of
50 guided steps, as the page asks; medians in milliseconds and their ratio are printed. The film of all steps, which
follows the result, is part of both.
"""

import sys
from contextlib import ExitStack

from latency import Server, compare, serving

WITHOUT = """
from imagegen.ui.wiring import Pace

Pace.due = lambda self: False
import app

app.main()
"""
STEPS = 50


def main(runs: int) -> None:
    with ExitStack() as stack:
        shown, silent = (Server(stack.enter_context(serving(*command))) for command in (["app.py"], ["-c", WITHOUT]))
        values = shown.defaults("stream")
        steps = next(i for i, value in enumerate(values) if value == 20)
        values[steps] = STEPS
        compare(
            f"digit in {STEPS} steps, with previews",
            lambda: shown.event("stream", values),
            lambda: silent.event("stream", values),
            runs,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
