"""The pictures in `screenshots/` are the program as it is today."""

from __future__ import annotations

import pytest

from screenshots.scenes import FOLDER, SCENES, draw


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_the_picture_is_what_the_program_draws(scene, tmp_path):
    drawn = await draw(scene)
    kept = FOLDER / f"{scene.name}.svg"
    if drawn != kept.read_text(encoding="utf-8"):
        (tmp_path / kept.name).write_text(drawn, encoding="utf-8")
        pytest.fail(
            f"{kept.name} differs from what is drawn now, {tmp_path / kept.name}: "
            "if that is meant, `make screenshots`, and look at it"
        )
