"""Every model of the zoo trained for one step from several seeds, written to docs/models.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from backprop_tui.compare import Verdict

from . import KINDS
from .trial import Trial, trial

DOCUMENT = Path(__file__).parents[2] / "docs" / "models.md"
SEEDS = 3
HEAD = f"""\
# Real models, verified whole

Models of transformers {version("transformers")}, small and random, in training mode with dropout,
in float32, each for one forward, loss and backward pass from {SEEDS} seeds. A model is verified if
every parameter that autograd gives a gradient agrees with ours by rules alone, no op is without a
rule or wrong by itself, nothing went unseen, and the loss and every gradient have the bits that
they have unobserved. `make models` wrote this page.

*ops* are the calls on the tape and *functions* how many different ones; *parameters* those with a
gradient; *ρ* is the largest of any parameter and seed, or its upper bound where that is enough, in
units of what rounding explains (up to 16 is rounding); *step* and *check* are the times of the
plain training step and of the check.
"""
TABLE = """
| model | ops | functions | parameters | verified | worst | ρ | step | check |
| --- | ---: | ---: | ---: | --- | --- | ---: | ---: | ---: |"""


def row(name: str, trials: Sequence[Trial]) -> str:
    """A line of the table."""
    first = trials[0]
    verified = sum(not list(each.complaints()) for each in trials)
    worst = max((each.report.verdict for each in trials), key=lambda verdict: verdict.rank)
    step = statistics.median(each.plain for each in trials)
    check = statistics.median(each.checking for each in trials)
    figures = [
        name,
        str(len(first.ops)),
        str(len(set(first.ops))),
        str(len(first.trained)),
        "✓" if verified == len(trials) else f"{verified} of {len(trials)} seeds",
        f"{worst.glyph} {worst}",
        f"{max(each.rho for each in trials):.2g}",
        f"{1000 * step:.0f} ms",
        f"{1000 * check:.0f} ms",
    ]
    return f"| {' | '.join(figures)} |"


def summary(found: Mapping[str, Sequence[Trial]]) -> Iterator[str]:
    """What there is to say of them all."""
    trials = [each for those in found.values() for each in those]
    whole = sum(all(not list(each.complaints()) for each in those) for those in found.values())
    functions = {op for each in trials for op in each.ops}
    parameters = sum(len(those[0].trained) for those in found.values())
    doubted = sum(each.report.verdict.rank >= Verdict.UNVERIFIED.rank for each in trials)
    yield (
        f"{whole} of {len(found)} models are verified: {parameters:,} parameters, "
        f"{len(functions)} different functions. In {len(trials)} steps {doubted} false alarms, and "
        f"ρ was {max(each.rho for each in trials):.3g} at most."
    )


def main() -> None:
    """Train, print and write."""
    torch.set_num_threads(1)
    found: dict[str, list[Trial]] = {}
    lines = []
    for kind, models in KINDS.items():
        lines += [f"\n## {kind}", TABLE]
        for name in models:
            found[name] = [trial(name, seed) for seed in range(SEEDS)]
            lines.append(row(name, found[name]))
            print(lines[-1], flush=True)
    text = [HEAD, *summary(found), *lines]
    DOCUMENT.write_text("\n".join(text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
