"""GIF: the first frame found among the blocks; comments and later frames left out."""

import struct

from residua.pixels.formats.header import FRAMES_COUNTED, BrokenHeaderError, Header

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_GRAPHIC_CONTROL = 0xF9
_MAX_BLOCKS = 1 << 20  # data come in blocks of 255 bytes: 64 MB are 2^18


def read_gif(data: bytes) -> Header:
    """Read the screen and the first frame's place on it; a frame may reach beyond the screen."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _palette_length(flags)
    view = memoryview(data)
    kept, control = [view[:position]], view[:0]
    frames = blocks = 0
    while frames < FRAMES_COUNTED and position + 1 < len(data) and data[position] != _TRAILER:
        start, kind = position, data[position]
        if kind == _EXTENSION:
            position, blocks = _skip_blocks(data, position + 2, blocks)
            if data[start + 1] == _GRAPHIC_CONTROL:
                control = view[start:position]
        elif kind == _IMAGE:
            left, top, columns, rows, flags = struct.unpack_from("<HHHHB", data, position + 1)
            position, blocks = _skip_blocks(data, position + 11 + _palette_length(flags), blocks)
            if not frames:
                width, height = max(width, left + columns), max(height, top + rows)
                kept += [control, view[start:position]]
            frames += 1
        else:
            position += 1
            blocks += 1
        if blocks > _MAX_BLOCKS:
            if frames:
                break
            raise BrokenHeaderError(f"has more than {_MAX_BLOCKS} blocks before the picture")
    if not frames:
        raise BrokenHeaderError("ends before the picture begins")
    return Header("GIF", width, height, b"".join([*kept, b";"]), frames)


def _palette_length(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_blocks(data: bytes, position: int, blocks: int) -> tuple[int, int]:
    """Return the position after a chain of blocks, and ``blocks`` with those of it counted."""
    while position < len(data) and blocks <= _MAX_BLOCKS:
        length = data[position]
        position += 1 + length
        blocks += 1
        if length == 0:
            break
    return min(position, len(data)), blocks
