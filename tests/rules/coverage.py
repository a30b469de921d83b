"""How much of PyTorch the rules derive: judged anew, printed, and written to docs/coverage.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from backprop_tui import catalogue
from tests.rules import op_db

DOCUMENT = Path(__file__).parents[2] / "docs" / "coverage.md"
HEAD = """\
# What the rules cover

Two figures, taken by `make coverage`.
"""


def figures(passed: list[str]) -> list[str]:
    """The two figures as sentences."""
    entries = [entry.full_name for entry in catalogue.op_db_entries()]
    own = set(entries) & set(passed)
    uses = catalogue.uses()
    derived = [use for use in uses if catalogue.how(use.name)]
    return [
        f"{len(own)} of the {len(entries)} differentiable variants of PyTorch's op_db pass: in "
        "float64 the forward and every cotangent of all their samples agree with autograd's, by "
        f"rules alone ({len(passed)} with their method and in-place forms).",
        f"{len(derived)} of the {len(uses)} functions that 122 public models call with gradients "
        "have a rule, or are Python whose inner ops have.",
    ]


def document(passed: list[str]) -> Iterator[str]:
    """The lines of docs/coverage.md."""
    yield HEAD
    yield from (f"- {figure}" for figure in figures(passed))
    lacking = sorted({entry.full_name for entry in catalogue.op_db_entries()} - set(passed))
    yield f"\n## op_db variants that do not pass\n\n{', '.join(lacking) or 'None.'}"
    yield f"\n## op_db variants that pass\n\n{', '.join(n for n in passed if ' (' not in n)}"
    yield "\n## Functions of real models\n\n| function | models | calls | derived by |"
    yield "| --- | ---: | ---: | --- |"
    for use in catalogue.uses():
        derived = catalogue.how(use.name) or "**missing**"
        yield f"| {use.name} | {use.models} | {use.calls} | {derived} |"


def main() -> None:
    """Judge, print and write."""
    passed = op_db.sweep()
    print(*figures(passed), sep="\n")
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text("\n".join(document(passed)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
