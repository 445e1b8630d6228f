"""What `paths` and `packet` say of one client, as shares of ends, for comparison with what the interpreter says."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from tests.paths.conditions import Facts, Shape, all_hold
from tests.paths.connections import End, First

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.paths.connections import Sent
    from tests.paths.site import Site


class Said(NamedTuple):
    """The shares of ends of whole connections, and between which bounds the share lies that works."""

    whole: dict[End, Fraction]
    at_least: Fraction
    at_most: Fraction


class NotToldError(Exception):
    """A condition asks what a concrete client does not answer."""


def said_of(entries: Sequence[Shape], sent: Sent, site: Site, kind: str) -> list[Said]:
    """Return what each entry says that applies to a client."""
    return [
        Said(_rows_of(entry, sent, site), *(Fraction(entry["reaching"][each]["exact"]) for each in _BOUNDS))
        for entry in entries
        if kind in entry["clients"] and _surely(entry["when"], Facts(sent, site))
    ]


_BOUNDS = ("at_least", "at_most")


def _surely(conditions: Sequence[Shape], facts: Facts) -> bool:
    answer = all_hold(conditions, facts)
    if answer is None:
        raise NotToldError(*(one["text"] for one in conditions if all_hold([one], facts) is None))
    return answer


def _rows_of(entry: Shape, sent: Sent, site: Site) -> dict[End, Fraction]:
    """Return the shares of the rows that apply."""
    found: dict[End, Fraction] = defaultdict(Fraction)
    for row in [*entry["endpoints"], *entry["leftover"]]:
        where = row.get("address", "")
        if _surely(row["when"], Facts(sent, site, where or None)) and Fraction(row["exact"]):
            snat = _snat(row.get("snat"), where, site)
            end = End(where, row.get("port"), row["outcome"], snat, row.get("reply"))
            found[end] += Fraction(row["exact"])
    return dict(found)


def _snat(snat: str | None, where: str, site: Site) -> str | None:
    """Return MASQUERADE also where the address is told that this comes to."""
    return "MASQUERADE" if snat == site.address_towards(where or site.strangers[0]) else snat


def outcomes_of(outcomes: Sequence[Shape], sent: Sent, site: Site) -> dict[First, Fraction]:
    """Return the shares of what `packet` says."""
    found: dict[First, Fraction] = defaultdict(Fraction)
    for outcome in outcomes:
        dnat = _parted(outcome["dnat"], sent.dport)
        if _surely(outcome["when"], Facts(sent, site, dnat[0] if dnat else None, is_plain=True)):
            snat = _snat(outcome["snat"], dnat[0] if dnat else sent.destination, site)
            found[First(outcome["verdict"], dnat, snat)] += Fraction(outcome["exact"])
    return {end: share for end, share in found.items() if share}


def _parted(text: str | None, port: int) -> tuple[str, int] | None:
    if text is None:
        return None
    address, _, number = text.rpartition(":") if "]:" in text or text.count(":") == 1 else (text, "", "")
    return address.strip("[]"), int(number or port)


def works(whole: dict[End, Fraction]) -> Fraction:
    """Return the share of connections that reach an endpoint and are answered."""
    return sum(
        (
            share
            for end, share in whole.items()
            if end.address and (end.outcome, end.reply) == ("ACCEPT", "ACCEPT")
        ),
        Fraction(0),
    )
