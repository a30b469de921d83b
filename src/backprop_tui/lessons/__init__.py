"""The lessons: a session each, with names for its values and words for its lines.

What stands here needs no torch: it is on the screen before torch is imported.
"""

from itertools import pairwise

LESSONS = {
    "two-layer": "a two-layer ReLU net, every gradient by hand beside autograd's",
}

SIZES = {"n": 2, "d_in": 3, "hidden": 4, "d_out": 5, "depth": 1}
"""Of the two-layer net, where nothing else is asked for: the article's."""


def title(depth: int) -> str:
    """What the net of `depth` hidden layers is called."""
    return f"{'two' if depth == 1 else depth + 1}-layer ReLU net"


def intro(n: int, d_in: int, hidden: int, d_out: int, depth: int) -> str:
    """The net in a few short lines: its layers and their shapes."""
    widths = [d_in, *[hidden] * depth, d_out]
    layers = [f"Linear {a}→{b}" for a, b in pairwise(widths)]
    return "\n".join(
        [
            f"x {n}×{d_in}",
            *(line for layer in layers[:-1] for line in (f"→ {layer}", "→ ReLU")),
            f"→ {layers[-1]}",
            f"→ MSELoss(sum), y {n}×{d_out}",
            "",
            "s steps, ? helps, q quits",
        ]
    )
