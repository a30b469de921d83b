"""The pictures in `screenshots/` are the program as it is today."""

from __future__ import annotations

import html
import re
from collections import defaultdict

import pytest

from screenshots.scenes import FOLDER, SCENES, draw

TEXT = re.compile(r'<text [^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')


def words(svg: str) -> list[str]:
    """What can be read in a picture, line by line, blanks left out.

    How a line is cut into pieces, and the order of the style classes, depend on which part of
    the screen was painted last, which a loaded machine may change; what stands there does not.
    """
    lines: dict[float, list[tuple[float, str]]] = defaultdict(list)
    for x, y, text in TEXT.findall(svg):
        lines[float(y)].append((float(x), text))
    joined = ("".join(text for _, text in sorted(pieces)) for _, pieces in sorted(lines.items()))
    return ["".join(html.unescape(line).split()) for line in joined]


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_the_picture_is_what_the_program_draws(scene, tmp_path):
    kept = FOLDER / f"{scene.name}.svg"
    expected = words(kept.read_text(encoding="utf-8"))
    assert len(expected) > 20
    for _ in range(3):  # where a pane stands may depend on the machine's pace
        drawn = await draw(scene)
        if words(drawn) == expected:
            return
    (tmp_path / kept.name).write_text(drawn, encoding="utf-8")
    pytest.fail(
        f"{kept.name} differs from what is drawn now, {tmp_path / kept.name}: "
        "if that is meant, `make screenshots`, and look at it"
    )
