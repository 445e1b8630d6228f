"""The lists that `-m recent` keeps, as /proc/net/xt_recent shows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.errors import quoted
from iptviz.records import NamedTuple
from iptviz.supplied.lines import SourceLine, places
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Mapping

_HINT = "pass a file of /proc/net/xt_recent, or the output of `tail -n +1 /proc/net/xt_recent/*`"

# recent_seq_show in net/netfilter/xt_recent.c. `oldest_pkt` is the index of the stamp to be overwritten next.
_ENTRY = re.compile(
    r"src=(?P<address>[0-9a-fA-F.:]{1,45}) ttl: [0-9]{1,3} last_seen: (?P<seen>[0-9]{1,20})"
    r" oldest_pkt: [0-9]{1,10}(?P<stamps>(?: [0-9]{1,20},?)*)"
)
_HEADING = re.compile(r"==> (?:.*/)?(?P<tail>[^/]+) <==|(?:.*/)?(?P<name>[^/\s=]+):")


class RecentEntry(NamedTuple):
    """One address of a list.

    Attributes:
        last_seen: when it was seen last, in jiffies since the kernel's own start of counting.
        hits: how many times the list remembers, at most ip_pkt_list_tot (20 unless set otherwise).
    """

    last_seen: int
    hits: int


class RecentList(NamedTuple):
    """One list: its entries by address, as an integer."""

    entries: Mapping[int, RecentEntry]


def read_recent_lists(text: str, source: str, default_name: str) -> dict[str, RecentList]:
    """Read one file of /proc/net/xt_recent, which is the list `default_name`, or several under headings.

    An empty text is an empty list: the file of a list that has seen nobody is empty.

    Raises:
        DumpError: a line is neither an entry nor a heading.
    """
    lists: dict[str, dict[int, RecentEntry]] = {}
    name = default_name
    for place, line in places(text, source):
        if heading := _HEADING.fullmatch(line):
            name = heading["tail"] or heading["name"]
            lists.setdefault(name, {})
            continue
        address, entry = _entry(line, place)
        lists.setdefault(name, {})[address] = entry
    if not lists:
        lists[default_name] = {}
    return {name: RecentList(entries) for name, entries in lists.items()}


def _entry(line: str, place: SourceLine) -> tuple[int, RecentEntry]:
    found = _ENTRY.fullmatch(line)
    network = parse_network(found["address"]) if found else None
    if found is None or network is None:
        raise place.error(f"not an entry of a recent list: {quoted(line)}", _HINT)
    return network.value, RecentEntry(int(found["seen"]), len(found["stamps"].split()))
