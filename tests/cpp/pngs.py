"""PNG files of every kind, which Pillow cannot all write: interlaced, of few bits, with filters."""

import struct
import zlib

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by PNG's number of a colour type
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
_PASSES.append((0, 1, 1, 2))


def every_kind(seed=0) -> dict[str, bytes]:
    """Pictures of noise: colour types, depths, interlaced or not, sizes; with transparency."""
    generator = np.random.default_rng(seed)
    files = {}
    for colour, depths in DEPTHS.items():
        for depth in depths:
            for interlaced in (0, 1):
                for width, height in ((33, 21), (3, 2), (1, 1), (5, 17)):
                    shape = (height, width, SAMPLES[colour])
                    samples = generator.integers(0, 2**depth, shape)
                    extra = _add_chunks(generator, colour, depth, samples)
                    name = f"{colour}-{depth}-{interlaced}-{width}x{height}.png"
                    files[name] = encode(samples, depth, colour, interlaced, extra)
    return files


def _add_chunks(generator, colour, depth, samples) -> list[tuple[bytes, bytes]]:
    first = [int(value) for value in samples[0, 0]]
    if colour == 3:  # a palette shorter than the indices may reach, and fewer alphas
        entries = min(2**depth, 200)
        palette = generator.integers(0, 256, 3 * entries, np.uint8).tobytes()
        alphas = generator.integers(0, 256, min(entries, 7), np.uint8).tobytes()
        return [(b"PLTE", palette), (b"tRNS", alphas)]
    if colour in (0, 2):
        return [(b"tRNS", struct.pack(f">{len(first)}H", *first))]
    return []


def encode(samples, depth, colour, interlaced=0, extra=(), *, part=50) -> bytes:
    """A PNG of ``samples`` [H, W, channels], its stream in parts, each row of another filter."""
    height, width = samples.shape[:2]
    rows = []
    for left, top, right, down in _PASSES if interlaced else [(0, 0, 1, 1)]:
        rows += _filter(samples[top::down, left::right], depth)
    stream = zlib.compress(b"".join(rows))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    parts = [(b"IDAT", stream[at : at + part]) for at in range(0, len(stream), part)]
    chunks = [(b"IHDR", header), *extra, *parts, (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _filter(samples, depth) -> list[bytes]:
    """The rows of a pass, filtered by each of the five filters in turn."""
    if not samples.size:
        return []
    step = max(1, depth * samples.shape[2] // 8)
    above = None
    rows = []
    for index, row in enumerate(samples):
        data = _pack(row, depth).astype(int)
        above = np.zeros_like(data) if above is None else above
        zeros = np.zeros(step, int)
        left = np.concatenate([zeros, data])[: len(data)]
        corner = np.concatenate([zeros, above])[: len(data)]
        guess = left + above - corner
        distances = np.abs([guess - left, guess - above, guess - corner])
        paeth = np.choose(distances.argmin(0), [left, above, corner])
        predictions = [0, left, above, (left + above) // 2, paeth]
        rows.append(bytes([index % 5]) + (data - predictions[index % 5]).astype(np.uint8).tobytes())
        above = data
    return rows


def _pack(row, depth):
    """One row's samples as bytes."""
    if depth == 16:
        return np.frombuffer(row.astype(">u2").tobytes(), np.uint8)
    if depth == 8:
        return row.astype(np.uint8).ravel()
    bits = (row.ravel()[:, None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.astype(np.uint8).ravel())


def mend_sums(data: bytes) -> bytes:
    """A damaged PNG with its checksums right, so that the damage reaches the decoder."""
    mended, position = bytearray(data), len(SIGNATURE)
    while position + 12 <= len(mended):
        length = int.from_bytes(mended[position : position + 4], "big")
        end = position + 8 + length
        if end + 4 > len(mended):
            break
        mended[end : end + 4] = struct.pack(">I", zlib.crc32(mended[position + 4 : end]))
        position = end + 4
    return bytes(mended)
