"""Run every benchmark and write `RESULTS.md` beside this file."""

from __future__ import annotations

from pathlib import Path

from . import inspector, keys, lesson, recording, rules, running, scale, startup
from .measure import machine, table

PARTS = (
    ("Start-up", startup.rows),
    ("Keys in the lesson", keys.rows),
    ("The inspector", inspector.rows),
    ("Large tapes on the screen", scale.rows),
    ("A training step", lesson.rows),
    ("Recording and checking a model", recording.rows),
    ("Rules, forward and backward", rules.rows),
    ("A script that is watched", running.rows),
)


def main() -> None:
    """Measure part by part, and print each as it is done."""
    text = (
        f"# Speed\n\nMedians unless said otherwise; `make bench` takes them again.\n{machine()}.\n"
    )
    for title, rows in PARTS:
        part = f"\n## {title}\n\n{table(rows())}\n"
        print(part, flush=True)
        text += part
    Path(__file__).with_name("RESULTS.md").write_text(text, encoding="utf-8")


main()
