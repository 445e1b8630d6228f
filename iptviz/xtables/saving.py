"""Whose printing of rules is wanted: iptables-save differs by family and, a little, by backend."""

from __future__ import annotations

from typing import NamedTuple


class Saving(NamedTuple):
    """Whose printing is wanted: `family` is `ipv4` or `ipv6`, `backend` is `legacy` or `nf_tables`."""

    family: str
    backend: str
