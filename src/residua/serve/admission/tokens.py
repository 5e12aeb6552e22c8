"""Who may ask: bearer tokens, compared in a time that does not tell how nearly they fit."""

import hashlib
import hmac
from collections.abc import Sequence

from residua.serve.refusals import Kind, Refusal
from residua.serve.settings import Settings


def check_token(header: bytes, settings: Settings, *, admin: bool) -> bytes:
    """Return the token of an ``Authorization`` header, "Bearer TOKEN"; nothing where none counts.

    Raises Refusal where it does not open this.

    ``admin`` requests need one of the administrators' tokens, which open all else as well. Without
    any token in the settings everyone may ask, and nobody administer.
    """
    if admin and not settings.admin_tokens:
        raise Refusal(Kind.FORBIDDEN, "The repository is closed: no admin token is set.")
    if not (admin or settings.tokens):
        return b""
    scheme, _, token = header.partition(b" ")
    known = settings.admin_tokens if admin else (*settings.tokens, *settings.admin_tokens)
    if scheme.lower() == b"bearer" and _is_among(token.strip(), known):
        return token.strip()
    if admin and _is_among(token.strip(), settings.tokens):
        raise Refusal(Kind.FORBIDDEN, "This needs an admin token.")
    raise Refusal(Kind.UNAUTHENTICATED, "Send Authorization: Bearer TOKEN.")


def _is_among(given: bytes, known: Sequence[str]) -> bool:
    digest = hashlib.sha256(given).digest()
    same = [hmac.compare_digest(digest, hashlib.sha256(each.encode()).digest()) for each in known]
    return any(same)
