"""Made-up scenes: smooth colours that look different for each seed, as photos do."""

import io

import numpy as np
from PIL import Image


def draw_scene(seed: int, width: int = 96, height: int = 72) -> Image.Image:
    """Random colours on a grid of 7 x 6, enlarged smoothly, with a little noise on top."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (6, 7, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.int64)
    noisy = smooth + random.integers(-6, 7, smooth.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def write_files(root, files):
    """Write each content to its name below ``root``."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root
