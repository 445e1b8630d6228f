"""Clients that stay with an endpoint: the elements of sets by which session affinity is kept in nftables mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import AFFINITY_SETS
from iptviz.kube.nftables.names import is_of_service, read_chain
from iptviz.nft.expressions import SetReference
from iptviz.nft.leads import verdicts_in
from iptviz.nft.statements import Match
from iptviz.records import NamedTuple
from iptviz.rules.native.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.kube.service import ServiceTrace
    from iptviz.nft.model import Rule
    from iptviz.rules.form import Place


class Pinned(NamedTuple):
    """A client that goes to `endpoint`, whatever is drawn: since the set of that has it.

    `expires` is for how long, in milliseconds from when it was listed; None where that is not told. `rule` is the
    rule that asks the set, at the line of the element.
    """

    client: str
    endpoint: str
    expires: int | None
    rule: Place


def pinned_clients(table: ProxyTable, traced: ServiceTrace) -> tuple[Pinned, ...]:
    """Return the clients of a frontend that stay with an endpoint; of one in several sets, the first asked."""
    ends = {end.rule.chain: end.text for outcome in traced.outcomes for end in outcome.endpoints}
    chains = dict.fromkeys(hop.chain for outcome in traced.outcomes for hop in outcome.hops)
    found: dict[str, Pinned] = {}
    for chain in filter(is_of_service, chains):
        nft = table.nft.chains.get(chain)
        for rule in nft.rules if nft is not None else ():
            for one in _of_rule(table, rule, ends):
                found.setdefault(one.client, one)
    return tuple(found.values())


def _of_rule(table: ProxyTable, rule: Rule, ends: dict[str, str]) -> Iterator[Pinned]:
    names = [
        one.right.name
        for one in rule.statements
        if isinstance(one, Match) and one.operator == "==" and isinstance(one.right, SetReference)
    ]
    head = next((verdict.chain for verdict in verdicts_in(rule)), "")
    own = read_chain(head)
    endpoint = ends.get(head) or (own.endpoint if own else "")
    if len(names) == 1 and names[0].startswith(AFFINITY_SETS) and endpoint:
        for line, element in table.elements(names[0]):
            place = table.place(rule, element, line)
            yield Pinned(words_of(element.key), endpoint, element.expires, place)
