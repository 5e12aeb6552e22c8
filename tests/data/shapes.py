"""Coloured shapes in class folders: small pictures that a small network learns in no time."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SHAPES = {"disc": (220, 60, 50), "frame": (60, 190, 80), "stripe": (70, 90, 220)}


def draw_shape(name: str, *, seed: int, side: int = 24) -> Image.Image:
    """One shape of about its colour, at a random place on a random grey."""
    random = np.random.default_rng(seed)
    grey = int(random.integers(90, 150))
    image = Image.new("RGB", (side + int(random.integers(0, 9)), side), (grey, grey, grey))
    left, top = (int(value) for value in random.integers(2, side // 3, 2))
    box = (left, top, left + side // 2, top + side // 2)
    colour = tuple(
        int(c) for c in np.clip(np.array(SHAPES[name]) + random.integers(-30, 30, 3), 0, 255)
    )
    pen = ImageDraw.Draw(image)
    match name:
        case "disc":
            pen.ellipse(box, fill=colour)
        case "frame":
            pen.rectangle(box, outline=colour, width=3)
        case _:
            pen.line(box, fill=colour, width=4)
    return image


def write_shapes(root: Path, *, count: int, seed: int = 0) -> Path:
    """``count`` pictures of each shape below ``root``."""
    for kind, name in enumerate(SHAPES):
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            draw_shape(name, seed=seed + 1000 * kind + number).save(folder / f"{number:03}.png")
    return root
