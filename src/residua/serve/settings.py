"""What a server is told: where it listens, what it lets in, how long an answer may take."""

import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from residua.base.clock import spell_bytes
from residua.base.errors import SettingError
from residua.pixels.limits import Limits

_SERVED = Limits(max_bytes=20_000_000, max_pixels=50_000_000, max_side=30_000, max_frames=10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a server is told.

    ``timeout`` is the deadline of a request that names none, ``longest_timeout`` what one may name;
    ``body_timeout`` bounds how long a body may take to arrive, all in seconds. At most
    ``queue_images`` pictures and ``queue_bytes`` bytes of requests are in the house at a time; the
    next is refused at once. ``limits`` bound a picture, ``max_body`` (bytes) and ``max_images`` a
    request, ``rate`` the requests a second of one client (by its token, else its address), of
    which ten seconds' worth may come at once. ``tokens`` open the inference routes,
    ``admin_tokens`` the repository's as well; without admin tokens that is closed. ``drain_delay``
    is how long a stopping server still takes requests after it has said that it is not ready,
    ``grace`` how long those under way may take. ``alone`` is false of one worker of several.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    grpc_port: int | None = 8001
    engine: str = "auto"
    precision: str = "fp32"
    threads: int | None = None
    max_batch: int = 8
    queue_images: int = 128
    queue_bytes: int = 256_000_000
    rate: float | None = None
    timeout: float = 10.0
    longest_timeout: float = 60.0
    body_timeout: float = 20.0
    limits: Limits = field(default=_SERVED)
    max_body: int = 64_000_000
    max_images: int = 64
    tokens: tuple[str, ...] = ()
    admin_tokens: tuple[str, ...] = ()
    insecure: bool = False
    open_metrics: bool = True
    url_hosts: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    watch: bool = False
    alone: bool = True
    drain_delay: float = 0.0
    grace: float = 30.0


def check_settings(settings: Settings) -> None:
    """Refuse what would be open to everyone by mistake, or cannot be met.

    Raises SettingError.
    """
    if not (settings.tokens or settings.insecure or is_loopback(settings.host)):
        raise SettingError(
            f"{settings.host} is open to other machines, and no token is set.",
            next_step="Add --token-file FILE (a token a line), or --insecure where a proxy checks "
            "who may ask.",
        )
    if (settings.certificate is None) != (settings.private_key is None):
        raise SettingError("TLS needs both --certificate and --private-key.")
    if settings.certificate and settings.private_key:
        _check_pair(settings.certificate, settings.private_key)
    if settings.port and settings.port == settings.grpc_port:
        raise SettingError(
            f"HTTP and gRPC cannot both have port {settings.port}.",
            next_step="Choose another --grpc-port, or 0 for none.",
        )
    if settings.max_body > settings.queue_bytes:
        raise SettingError(
            f"A body of {spell_bytes(settings.max_body)} would never fit into a queue of "
            f"{spell_bytes(settings.queue_bytes)}.",
            next_step="Raise --queue-bytes, or lower --max-body.",
        )
    if settings.max_images > settings.queue_images:
        raise SettingError(
            f"A request of {settings.max_images} pictures would never fit into a queue of "
            f"{settings.queue_images}.",
            next_step="Raise --queue, or lower --max-images.",
        )


def _check_pair(certificate: Path, private_key: Path) -> None:
    for option, path in (("--certificate", certificate), ("--private-key", private_key)):
        if not path.is_file():
            raise SettingError(f"{option} {path}: there is no such file.")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, private_key)
    except (OSError, ValueError) as error:
        raise SettingError(
            f"{certificate} and {private_key} are no certificate with its key: {error}.",
            next_step="Both are PEM files; the key must not be encrypted.",
        ) from error


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
