"""Blocks that only a report has: answers below one heading, all services, all chains, files beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.view.blocks import Table, View


class Answers(NamedTuple):
    """Several answers below one heading."""

    heading: str
    views: tuple[View, ...]


class Listing(NamedTuple):
    """All services of a dump as an answer of their own, and as the rows of a page that searches them."""

    view: View
    table: Table


class ChainBrowser(NamedTuple):
    """Chains to look up: `{table: {chain: {"policy": text, "rules": [[line, text, chain it leads to, share]]}}}`.

    With them comes a word on what is left out.
    """

    open: Callable[[], tuple[dict[str, dict[str, Any]], str]]


class File(NamedTuple):
    """A file that belongs beside the answer."""

    name: str
    content: Callable[[], bytes]
