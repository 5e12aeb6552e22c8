import socket

import pytest

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
