"""Debian packages as image layers: the mirror, the bootstrap, the runtime base."""
