"""Older manifests brought up to today's schema, one small step a version."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from residua.base.errors import BundleDamagedError, BundleVersionError
from residua.bundle.schema import SCHEMA_VERSION


def _add_figures(content: dict[str, Any]) -> dict[str, Any]:
    """Version 2 has more figures in metrics and calibration; all may be absent."""
    return content


def _drop_exports(content: dict[str, Any]) -> dict[str, Any]:
    """Version 3 says more of an export; nothing wrote any before."""
    return {**content, "exports": {}}


# From version N to N + 1, by N.
STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _add_figures, 2: _drop_exports}


def upgrade(content: Any, path: Path) -> dict[str, Any]:
    """Return ``content`` of ``path`` in today's schema.

    Raises BundleDamagedError where it is no manifest, BundleVersionError where it is a newer one.
    """
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BundleDamagedError(
            f"{path} is no manifest of a bundle: it has no schema_version.",
            next_step="Give a folder that residua wrote.",
        )
    if version > SCHEMA_VERSION:
        raise BundleVersionError(
            f"{path} has schema version {version}; this residua reads up to {SCHEMA_VERSION}.",
            next_step="Upgrade with: pip install --upgrade residua",
        )
    while version < SCHEMA_VERSION:
        content = {**STEPS[version](content), "schema_version": version + 1}
        version += 1
    return dict(content)
