"""The sockets that a server listens on."""

import socket

from residua.base.errors import SettingError


def bind(host: str, port: int, *, reuse_port: bool = False) -> socket.socket:
    """Return a bound socket. Raises SettingError where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise SettingError(
            f"{host}:{port} cannot be listened on ({error.strerror}).",
            next_step="Choose another --port or --host.",
        ) from error
    listening.setblocking(False)
    return listening
