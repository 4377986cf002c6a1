"""Sizes as people read them."""

from __future__ import annotations


def size_text(size: int) -> str:
    """A number of bytes in the unit that fits, decimal as registries and disks count: `8.2 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 999.5:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.2f} GB"
