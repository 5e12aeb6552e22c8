"""Why a request is not answered: one exception, whose kind says how HTTP and gRPC spell it."""

from enum import Enum

from residua.base.errors import ImageError


class Kind(Enum):
    """Reason for the metrics, status of HTTP, status of gRPC."""

    INVALID = ("invalid", 400, "INVALID_ARGUMENT")
    UNAUTHENTICATED = ("unauthenticated", 401, "UNAUTHENTICATED")
    FORBIDDEN = ("forbidden", 403, "PERMISSION_DENIED")
    UNKNOWN = ("unknown", 404, "NOT_FOUND")
    SLOW_BODY = ("slow-body", 408, "DEADLINE_EXCEEDED")
    TOO_LARGE = ("too-large", 413, "RESOURCE_EXHAUSTED")
    NOT_AN_IMAGE = ("not-an-image", 415, "INVALID_ARGUMENT")
    ENCODED = ("encoded-body", 415, "INVALID_ARGUMENT")
    DAMAGED = ("damaged", 422, "INVALID_ARGUMENT")
    UNREACHABLE = ("unreachable", 422, "INVALID_ARGUMENT")
    BUSY = ("busy", 429, "RESOURCE_EXHAUSTED")
    LEFT = ("left", 499, "CANCELLED")
    INTERNAL = ("internal", 500, "INTERNAL")
    UNAVAILABLE = ("unavailable", 503, "UNAVAILABLE")
    LATE = ("late", 504, "DEADLINE_EXCEEDED")

    def __init__(self, reason: str, http: int, grpc: str) -> None:
        """``reason`` is the label in the metrics and in records of bad pictures."""
        self.reason = reason
        self.http = http
        self.grpc = grpc


class Refusal(Exception):  # noqa: N818  # it is an answer, not a fault
    """A request, or one picture of it, that is not answered; the text is for the client.

    ``retry_after`` tells in how many seconds it is worth another try.
    """

    def __init__(self, kind: Kind, message: str, *, retry_after: int | None = None) -> None:
        """Say why, in a sentence."""
        super().__init__(message)
        self.kind = kind
        self.retry_after = retry_after


def spell_http(refusal: Refusal, path: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return body and headers: one key for the open protocol, the reason as well elsewhere."""
    record, headers = {"error": str(refusal)}, {}
    if not path.startswith("/v2"):
        record["reason"] = refusal.kind.reason
    if refusal.retry_after is not None:
        headers["retry-after"] = str(refusal.retry_after)
    if refusal.kind is Kind.UNAUTHENTICATED:
        headers["www-authenticate"] = "Bearer"
    return record, headers


_OF_PICTURES = {
    "not-an-image": Kind.NOT_AN_IMAGE,
    "too-large": Kind.TOO_LARGE,
    "damaged": Kind.DAMAGED,
}


def refuse_picture(error: ImageError) -> Refusal:
    """Return the refusal of a picture that cannot be used; the next step is the operator's."""
    return Refusal(_OF_PICTURES.get(error.reason, Kind.DAMAGED), error.problem.replace("\n", " "))


def late(seconds: float) -> Refusal:
    """Return the refusal of a request whose deadline has passed."""
    return Refusal(Kind.LATE, f"The deadline of {seconds:g} s has passed.", retry_after=1)
