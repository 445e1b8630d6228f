"""Sizes as people write them: 2 GiB, 500M, 1048576."""

from __future__ import annotations

import re

from iptviz.errors import IptvizError, quoted

_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_SIZE = re.compile(r"([0-9]{1,15})(?: ?([KMGT])(?:i?B)?|B)?", re.IGNORECASE)


class SizeError(IptvizError):
    """The text is no size."""


def read_size(text: str) -> int:
    """Read `500M`, `2GiB` or `1048576` as bytes; units are powers of 1024.

    Raises:
        SizeError: it is none of these, or nothing at all.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        raise SizeError(f"invalid size {quoted(text)}", hint="write it like 500M, 8G or 1048576 (bytes)")
    return int(found[1]) << _UNITS[(found[2] or "").upper()]


def print_size(size: int) -> str:
    """Return a size in the largest unit of which it is a multiple."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
