"""Pictures made for these tests, encoded by Pillow."""

import io

import numpy as np
from PIL import Image


def encode(picture, kind, **options) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def colours(width, height) -> np.ndarray:
    """Smooth colours that differ everywhere: no two quarters, rows or columns are alike."""
    x = np.linspace(0, 1, width)[np.newaxis, :]
    y = np.linspace(0, 1, height)[:, np.newaxis]
    channels = [200 * x + 40 * y, 220 * y**2 + 20 * x, 128 + 100 * np.sin(4 * x + 7 * y)]
    return np.stack([np.broadcast_to(c, (height, width)) for c in channels], -1).astype(np.uint8)


def noise(width, height, channels=3, seed=0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    shape = (height, width, channels) if channels > 1 else (height, width)
    return generator.integers(0, 256, shape, dtype=np.uint8)


def every_kind() -> dict[str, bytes]:
    """The same small picture in every format and every variant with a decoder of its own."""
    pixels = colours(97, 61)
    image = Image.fromarray(pixels)
    turned = image.transpose(Image.Transpose.ROTATE_180)
    few = image.quantize(64)
    kinds = {
        "jpeg": encode(image, "JPEG"),
        "jpeg progressive": encode(image, "JPEG", progressive=True),
        "png": encode(image, "PNG"),
        "png 16": encode(pixels[:, :, 0].astype(np.uint16) * 257, "PNG"),
        "webp": encode(image, "WEBP"),
        "webp lossless": encode(image, "WEBP", lossless=True),
        "webp animated": encode(image, "WEBP", save_all=True, append_images=[turned]),
        "bmp": encode(image, "BMP"),
        "gif": encode(few, "GIF"),
        "gif animated": encode(few, "GIF", save_all=True, append_images=[turned.quantize(64)]),
        "tiff": encode(image, "TIFF"),
        "tiff strips": encode(image, "TIFF", tiffinfo={278: 8}),
        "tiff fax": encode(image.convert("1"), "TIFF", compression="group4"),
        "bigtiff": encode(image, "TIFF", big_tiff=True),
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        kinds[f"tiff {compression}"] = encode(image, "TIFF", compression=compression)
    return kinds
