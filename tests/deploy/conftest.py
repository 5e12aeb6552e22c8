"""The server of tests/serve."""

from serve.conftest import cache, photo, served_bundle, server, start  # noqa: F401
