"""Formats that residua does not read, recognised so that the message can name them."""

import struct

# By their first bytes. Where several begin alike, the longer comes first.
_MAGIC = (
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"icns", "ICNS"),
    (b"8BPS", "PSD"),
    (b"qoif", "QOI"),
    (b"DDS ", "DDS"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"\x01\xda", "SGI"),
    (b"\0\0\1\0", "ICO"),
    (b"\0\0\2\0", "CUR"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"<?xml", "XML or SVG"),
    (b"<svg", "SVG"),
    (b"<!DOCTYPE", "HTML"),
    (b"<!doctype", "HTML"),
    (b"<html", "HTML"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"\x1aE\xdf\xa3", "Matroska or WebM video"),
    (b"P1", "PNM"),
    (b"P2", "PNM"),
    (b"P3", "PNM"),
    (b"P4", "PNM"),
    (b"P5", "PNM"),
    (b"P6", "PNM"),
    (b"P7", "PNM"),
    (b"\x0a\x05\x01", "PCX"),
)
_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"hevc": "HEIC",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
}


def name_format(data: bytes) -> str:
    """Return the name of the format of ``data``, or "" where none is recognised."""
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "MP4 or QuickTime video")
    if data[4:6] in {b"\x11\xaf", b"\x12\xaf"}:
        return "FLI or FLC"
    if data.endswith(b"TRUEVISION-XFILE.\0"):
        return "TGA"
    return ""


def read_icon_size(data: bytes) -> tuple[int, int]:
    """Return the largest width and height that the pictures within an ICO or CUR declare.

    It is asked for the sake of one message: a bomb is called too large, also in a foreign format.
    """
    width = height = 0
    try:
        (count,) = struct.unpack_from("<H", data, 4)
        for index in range(count):
            (offset,) = struct.unpack_from("<I", data, 6 + 16 * index + 12)
            if data.startswith(b"\x89PNG", offset):
                inner = struct.unpack_from(">II", data, offset + 16)
            else:
                inner = struct.unpack_from("<II", data, offset + 4)
            width, height = max(width, inner[0]), max(height, inner[1])
    except struct.error:
        pass
    return width, height
