"""The chains, maps and sets of listings of nft that a page lets one browse, in nft's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.kube.nftables.names import is_of_service
from iptviz.nft.leads import sets_asked, verdicts_in, verdicts_of
from iptviz.rules.native.rule_words import element_words, rule_words
from iptviz.view.chain_browser import MOST_RULES
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from iptviz.nft.heads import Base
    from iptviz.nft.model import Chain, Rule, SetOrMap, Table
    from iptviz.node.listing import NftListing

_MOST_ELEMENTS = MOST_RULES // 20
"""Of a large listing, longer maps and sets are left out."""


def browsed_listings(
    listings: Iterable[NftListing], met: Collection[tuple[str, str]]
) -> tuple[dict[str, dict[str, Any]], str]:
    """Return the chains, maps and sets of listings by table, as in `ChainBrowser`; a word on what lacks.

    A map or set stands with an @ before its name, with its elements in place of rules. `met` are the tables and
    names of the chains on the ways of the answers.
    """
    tables = {name: table for listing in listings for name, table in listing.tables.items()}
    rules = sum(len(chain.rules) for table in tables.values() for chain in table.chains.values())
    whole = rules <= MOST_RULES
    found = {
        printable(name): _browsed(table, None if whole else {chain for of, chain in met if of == name})
        for name, table in tables.items()
    }
    if whole:
        return found, ""
    shown = "the chains of the answers above, those of no service, and no long maps and sets"
    return found, f"Of {rules:,} rules in this listing, the page shows {shown}."


def _browsed(table: Table, met: Collection[str] | None) -> dict[str, Any]:
    """Return what is browsed of a table: all of it, or `met` chains and what is general."""
    chains = (
        chain for name, chain in table.chains.items() if met is None or name in met or _is_general(chain)
    )
    sets = (one for one in table.sets.values() if met is None or len(one.elements) <= _MOST_ELEMENTS)
    return {printable(chain.name): _chain(chain) for chain in chains} | {
        printable(f"@{one.name}"): _set(one) for one in sets
    }


def _is_general(chain: Chain) -> bool:
    return not is_of_service(chain.name) and len(chain.rules) <= _MOST_ELEMENTS


def _chain(chain: Chain) -> dict[str, Any]:
    rules = [[rule.line, printable(rule_words(rule)), list(_ways(rule)), ""] for rule in chain.rules]
    return {"policy": printable(_policy(chain.base)) if chain.base else "", "rules": rules}


def _policy(base: Base) -> str:
    """Return the policy of a base chain, and where it is hooked in."""
    at = "" if base.priority is None else f" priority {base.priority}"
    return f"{base.policy}, {base.type} hook {base.hook}{at}"


def _ways(rule: Rule) -> Iterator[str]:
    """Yield where a rule leads, and the maps and sets that it asks."""
    yield from (printable(f"@{name}") for name in sets_asked(rule))
    yield from (printable(verdict.chain) for verdict in verdicts_in(rule))


def _set(found: SetOrMap) -> dict[str, Any]:
    elements = [
        [
            line,
            printable(element_words(element)),
            [printable(one.chain) for one in verdicts_of((element,))],
            "",
        ]
        for line, element in found.lines
    ]
    return {"policy": "", "rules": elements, "holds": "element"}
