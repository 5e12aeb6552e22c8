"""Pictures from https addresses, for ``--allow-urls``: public hosts, no redirects, bounded.

The name is resolved once and the connection goes to the address that was checked, so that a name
cannot point elsewhere between check and use.
"""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from urllib.parse import urlsplit

_SECONDS = 20.0
_SLOW = "the host took too long"


def fetch_picture(url: str, *, max_bytes: int, seconds: float = _SECONDS) -> bytes:
    """Return the body behind ``url``, which has ``seconds`` to come.

    Raises OSError with the reason in words.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        raise OSError("only https addresses are read")
    if parts.username or parts.password:
        raise OSError("addresses with credentials are refused")
    host, port = parts.hostname or "", parts.port or 443
    address = _resolve_public(host, port)
    connection = _PinnedConnection(host, port, address, seconds)
    patience = threading.Timer(seconds, connection.hang_up)
    try:
        patience.start()
        target = parts.path or "/"
        connection.request("GET", f"{target}?{parts.query}" if parts.query else target)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            raise OSError(f"the server answered {response.status} {response.reason}")
        body = response.read(max_bytes + 1)
    except http.client.HTTPException as error:
        if connection.hung_up:
            raise OSError(_SLOW) from error
        raise OSError(f"the server's answer is no HTTP ({error})") from error
    finally:
        patience.cancel()
        connection.close()
    if connection.hung_up:
        raise OSError(_SLOW)
    if len(body) > max_bytes:
        raise OSError(f"the answer has more than {max_bytes} bytes")
    return body


def _resolve_public(host: str, port: int) -> str:
    """Return the first address of ``host``; all of them must be public."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not ipaddress.ip_address(address).is_global:
            raise OSError(f"{host} is not a public host ({address})")
    return addresses[0]


class _PinnedConnection(http.client.HTTPSConnection):
    """An https connection to one address, with the certificate checked for the name."""

    def __init__(self, host: str, port: int, address: str, seconds: float) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, port, timeout=seconds, context=self._tls)
        self._address = address
        self.hung_up = False

    def connect(self) -> None:
        """Connect to the checked address instead of resolving the name again."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        if self.hung_up:
            raise OSError(_SLOW)
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)

    def hang_up(self) -> None:
        """End whatever is being read, from another thread."""
        self.hung_up = True
        with contextlib.suppress(OSError, TypeError):  # it may not be connected yet
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # not TLS's own, which says goodbye
