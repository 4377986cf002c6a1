"""Wheelyard: wheels from source, a cache that a team installs from, and slim runtime images."""

__version__ = "0.1.0"
