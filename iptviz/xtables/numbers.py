"""Numbers as iptables reads them."""

from __future__ import annotations

import re

_UINT = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")


def read_uint(text: str) -> int | None:
    """Read a number as strtoul with base 0 does: decimal, 0x hexadecimal, 0 octal; None for anything else."""
    if not _UINT.fullmatch(text):
        return None
    octal = len(text) > 1 and text[0] == "0" and text[1] not in "xX"
    try:
        return int(text, 8 if octal else 0)
    except ValueError:
        return None
