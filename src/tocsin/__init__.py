"""Tocsin: a hazard alarm centre. It watches things, not people."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("tocsin")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
