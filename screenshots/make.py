"""Write every scene as SVG and PNG into this folder, and the list of them into README.md."""

from __future__ import annotations

import asyncio
import subprocess
from concurrent.futures import ThreadPoolExecutor

import torch

from .scenes import FOLDER, SCENES, Scene, draw


def write(scene: Scene, svg: str) -> None:
    """Write both files of a scene; the PNG needs rsvg-convert and the fonts that `make` names."""
    path = FOLDER / f"{scene.name}.svg"
    path.write_text(svg, encoding="utf-8")
    # librsvg would fold the spaces that place the letters.
    spaced = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    png = str(path.with_suffix(".png"))
    subprocess.run(["rsvg-convert", "--output", png], input=spaced.encode(), check=True)


def index() -> str:
    """The pictures with their captions, as Markdown."""
    parts = ["# Pictures\n\nDrawn by `make screenshots` from the running program.\n"]
    for scene in SCENES:
        columns, rows = scene.size
        parts.append(f"## {scene.name}, {columns}×{rows}\n\n{scene.caption}\n")
        parts.append(f"![{scene.caption}]({scene.name}.png)\n")
    return "\n".join(parts)


def main() -> None:
    """Draw one after the other, since there is one event loop; convert side by side."""
    torch.set_num_threads(1)
    with ThreadPoolExecutor() as pool:
        jobs = [pool.submit(write, scene, asyncio.run(draw(scene))) for scene in SCENES]
        for scene, job in zip(SCENES, jobs, strict=True):
            job.result()
            print(f"{scene.name}: {scene.caption}")
    (FOLDER / "README.md").write_text(index(), encoding="utf-8")


if __name__ == "__main__":
    main()
