"""The version of residua: here for the code, read by the build for the package."""

__version__ = "0.1.0"
