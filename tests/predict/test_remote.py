import socket
import ssl
import threading
import time

import pytest
import trustme

from residua.predict.remote import fetch_picture


def resolving_to(*addresses):
    def resolve(host, port, **options):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    return resolve


@pytest.mark.parametrize("url", ["http://example.org/a.jpg", "file:///etc/passwd", "ftp://x/y"])
def test_only_https_is_read(url):
    with pytest.raises(OSError, match="only https"):
        fetch_picture(url, max_bytes=10)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
    ],
)
def test_private_addresses_are_refused(monkeypatch, address):
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("93.184.216.34", address))
    with pytest.raises(OSError, match="not a public host"):
        fetch_picture("https://photos.example/a.jpg", max_bytes=10)


def test_credentials_are_refused():
    with pytest.raises(OSError, match="credentials"):
        fetch_picture("https://user:secret@example.org/a.jpg", max_bytes=10)


def test_the_connection_goes_to_the_address_that_was_checked(monkeypatch):
    asked = []

    def connect(address, timeout):
        asked.append(address)
        raise ConnectionRefusedError("nobody there")

    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("93.184.216.34"))
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(OSError, match="nobody there"):
        fetch_picture("https://photos.example/a.jpg?x=1", max_bytes=10)
    assert asked == [("93.184.216.34", 443)]


class Dripping(threading.Thread):
    """An https host on this machine that sends its answer a byte at a time, without end."""

    def __init__(self, folder, head):
        super().__init__(daemon=True)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("photos.example").configure_cert(self.tls)
        self.plug = socket.create_server(("127.0.0.1", 0))
        self.port = self.plug.getsockname()[1]
        self.head = head
        self.left = threading.Event()
        self.start()

    def run(self):
        plain, _ = self.plug.accept()
        with self.plug, plain, self.tls.wrap_socket(plain, server_side=True) as line:
            try:
                line.recv(1000)
                line.sendall(self.head)
                while True:
                    line.sendall(b"a")
                    time.sleep(0.01)
            except OSError:
                self.left.set()


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-Long: "],
    ids=["body", "header"],
)
def test_a_host_that_drips_is_given_up(monkeypatch, tmp_path, head):
    host = Dripping(tmp_path, head)
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    monkeypatch.setattr(ssl, "create_default_context", lambda: trusting)
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("93.184.216.34"))

    def reach(_, timeout):
        plug = socket.socket()
        plug.settimeout(timeout)
        plug.connect(("127.0.0.1", host.port))
        return plug

    monkeypatch.setattr(socket, "create_connection", reach)
    with pytest.raises(OSError, match="took too long"):
        fetch_picture("https://photos.example/a.jpg", max_bytes=10_000_000, seconds=0.5)
    assert host.left.wait(10)
