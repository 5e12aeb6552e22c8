"""One file over HTTP: streamed into ``FILE.part``, resumed, hashed; the caller renames it.

Standard library only, so that proxies and certificates are those of every other Python program.
``FILE.part.json`` remembers where the part comes from; it is continued only if the server says by
the same ETag or date that the file is still the same one (RFC 9110, section 13.1.5).
"""

import hashlib
import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from residua.base.clock import spell_bytes
from residua.base.errors import WeightsError
from residua.base.files import sha256_of, sync_folder, write_atomic
from residua.base.progress import Progress
from residua.base.version import __version__

TIMEOUT = 30.0  # seconds without a byte
ATTEMPTS = 4  # failures in a row without progress, after which a URL is given up
PAUSE = 1.0  # seconds before the second attempt; doubled before each further one
_CHUNK = 1 << 20
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_MEGABYTE = 1_000_000


class TransferError(Exception):
    """Why one URL gave no file. ``passing`` failures are worth another attempt."""

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        """``reason`` is a part of a sentence, such as "HTTP 404 Not Found"."""
        super().__init__(reason)
        self.passing = passing


def download(url: str, part: Path, *, what: str) -> str:
    """Fetch ``url`` into ``part``, or the rest of it, and return the whole file's SHA-256.

    An attempt that brought new bytes does not count against the limit of attempts. Raises
    TransferError where the URL gives no whole file, WeightsError where the disk has no space.
    """
    farthest = failures = 0
    while True:
        try:
            return _attempt(url, part, what)
        except TransferError as error:
            reached = part.stat().st_size if part.exists() else 0
            failures = 0 if reached >= farthest + _CHUNK else failures + 1
            farthest = max(farthest, reached)
            if not error.passing or failures >= ATTEMPTS:
                raise
        time.sleep(PAUSE * 2 ** max(0, failures - 1))


def discard(part: Path) -> None:
    """Delete a part and what is remembered of it."""
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)


def settle(part: Path, target: Path) -> None:
    """Give a whole part its name."""
    part.replace(target)
    sync_folder(target.parent)
    discard(part)


def _attempt(url: str, part: Path, what: str) -> str:
    note = _read_note(part, url)
    offset = part.stat().st_size if note else 0
    if note and offset == note["total"]:
        return sha256_of(part)
    headers = {"User-Agent": f"residua/{__version__}", "Accept-Encoding": "identity"}
    if offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": note["validator"]}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - fetch allows http(s) only
    opener = urllib.request.build_opener(_SecureRedirects)
    try:
        response = opener.open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
                discard(part)
                raise TransferError("its length changed", passing=True) from error
            reason = f"HTTP {error.code} {error.reason}".strip()
            raise TransferError(reason, passing=error.code in _PASSING) from error
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(_spell(error), passing=_was_cut(error)) from error
    with response:
        return _receive(response, url, part, offset, what)


def _receive(response: Any, url: str, part: Path, offset: int, what: str) -> str:
    """Append a partial answer to ``part``, or write a whole one anew; return its SHA-256."""
    headers: Message = response.headers
    if headers.get("Content-Encoding", "identity") != "identity":
        raise TransferError(f"sent with Content-Encoding {headers['Content-Encoding']}")
    length = headers.get("Content-Length", "")
    left = int(length) if length.isdecimal() else None
    if response.status == http.client.PARTIAL_CONTENT and offset:
        start = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
        if start is None or int(start[1]) != offset:
            discard(part)
            raise TransferError("another range than was asked for", passing=True)
    elif response.status == http.client.OK:
        offset = 0
        discard(part)
    else:
        raise TransferError(f"HTTP {response.status} {response.reason}".strip())
    total = None if left is None else offset + left
    _require_space(part.parent, left, what)
    if not offset:
        _write_note(part, url, headers, total)
    digest = _store(response, part, offset, left, what)
    received = part.stat().st_size
    if total is not None and received != total:
        raise TransferError(f"ended after {received} of {total} bytes", passing=True)
    return digest


def _store(response: IO[bytes], part: Path, offset: int, left: int | None, what: str) -> str:
    """Append the answer's body to ``part``, flushed to disk; return the SHA-256 of all of it."""
    digest = hashlib.sha256()
    progress = Progress(f"Fetching {what}", None if left is None else left // _MEGABYTE, unit="MB")
    arrived = 0
    try:
        with part.open("a+b") as file:
            file.seek(0)
            while start := file.read(min(_CHUNK, offset - file.tell())):
                digest.update(start)
            while chunk := _read_chunk(response):
                file.write(chunk)
                digest.update(chunk)
                arrived += len(chunk)
                progress.advance(arrived // _MEGABYTE - progress.done)
            file.flush()
            os.fsync(file.fileno())
    finally:
        progress.close()
    return digest.hexdigest()


def _read_chunk(response: IO[bytes]) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(_spell(error), passing=True) from error


def _require_space(folder: Path, needed: int | None, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if needed is not None and needed > free:
        raise WeightsError(
            f"{what} needs {spell_bytes(needed)}, and {folder} has {spell_bytes(free)} free.",
            next_step="Free some space, or set RESIDUA_CACHE to a folder on another disk.",
        )


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _write_note(part: Path, url: str, headers: Message, total: int | None) -> None:
    """Remember what a part is the beginning of; without a validator it cannot be continued."""
    etag = headers.get("ETag", "")
    # Weak ETags ("W/…") promise the same meaning, not the same bytes.
    validator = etag if etag.startswith('"') else headers.get("Last-Modified", "")
    if validator:
        note = {"url": url, "validator": validator, "total": total}
        write_atomic(_note_path(part), json.dumps(note).encode())


def _read_note(part: Path, url: str) -> dict[str, Any]:
    """Return what is remembered of a part of ``url``; empty where there is none to continue."""
    try:
        note: dict[str, Any] = json.loads(_note_path(part).read_bytes())
        known = note["url"] == url and isinstance(note["validator"], str) and "total" in note
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return {}
    return note if known and part.exists() else {}


def _was_cut(error: Exception) -> bool:
    """Tell a connection that broke from one that never came about: no such host, no route, hung."""
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return isinstance(reason, ConnectionResetError | BrokenPipeError | http.client.HTTPException)


def _spell(error: Exception) -> str:
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return str(reason) or type(reason).__name__


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https alone, whatever the first address was."""

    def redirect_request(  # the signature is urllib's
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme != "https":
            fp.close()
            raise TransferError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
