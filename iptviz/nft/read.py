"""Text or JSON of nft, however it was saved, into the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.nft.model import Ruleset


def read_ruleset(data: bytes, source: str = "") -> Ruleset:
    """Read what `nft list ruleset`, `list table`, `list chain` or `nft -j` printed, or a file for `nft -f`.

    Raises:
        DumpError: nothing of nft's language is in it; `source` is what the message calls the text.
    """
    raise NotImplementedError
