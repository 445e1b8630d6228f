"""Rules that tell of two syncs of kube-proxy, or of two kube-proxies, at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.wording import and_more
from iptviz.kube.comments import NO_LOCAL_ENDPOINTS, read_comment
from iptviz.kube.families import ENTRY_CHAINS, POSTROUTING, SERVICE_CHAINS, SERVICES
from iptviz.kube.frontends import frontend_of
from iptviz.kube.preempt import HOOKS
from iptviz.kube.synced import dispatching, nftables_mode
from iptviz.records import NamedTuple
from iptviz.rules.iptables import dump_rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.kube.nftables.own import OwnTable
    from iptviz.kube.service_ports import ServicePort
    from iptviz.nft.model import Chain
    from iptviz.nft.model import Rule as NftRule
    from iptviz.nft.model import Table as NftTable
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.fares import Reached

_NAMED = 3


def check(node: Examined) -> Iterator[Finding]:
    """Yield where filter and nat contradict each other, and where two modes act."""
    yield from _two_syncs(node)
    nat = node.dump.tables.get("nat")
    if nat is not None:
        yield from _two_modes(node, nat)


# --- filter of one sync, nat of another ------------------------------------------------------------------------


class _Contradiction(NamedTuple):
    """A service port that `refusing` rules refuse as without endpoints, and that `leading` leads to some."""

    name: str
    refusing: tuple[Rule, ...]
    leading: Rule
    refused: bool


def _two_syncs(node: Examined) -> Iterator[Finding]:
    found_ones = list(_contradictions(node))
    for what, refused in ((reject_and_route, True), (mixed_sync, False)):
        those = [one for one in found_ones if one.refused == refused]
        if those:
            rules = [rule for one in those for rule in (*one.refusing, one.leading)]
            names = tuple(one.name for one in those[:_NAMED])
            made = found(what, rules, line=rules[0].line, names=names, count=len(those))
            yield made._replace(times=len(those))


def _contradictions(node: Examined) -> Iterator[_Contradiction]:
    """Yield the service ports of which filter says that they have no endpoints, and nat that they have."""
    refusals = {
        frontend[1:4]: rule
        for rule in node.rules.rules["filter"]
        if _refuses(rule) and (frontend := frontend_of(rule)) is not None
    }
    if not refusals:
        return
    for port, reached in zip(node.ports, node.reached, strict=True):
        refusing = {
            place: refusals[key]
            for place, answer in enumerate(port.answers)
            if (key := answer.frontend[1:4]) in refusals
        }
        leading = _leading(port) if refusing else None
        if leading is not None:
            refused = any(_is_refused(reached[place], rule) for place, rule in refusing.items())
            yield _Contradiction(port.name, tuple(refusing.values()), leading, refused)


def _refuses(rule: Rule) -> bool:
    """Whether kube-proxy refuses a frontend by a rule since its service has no endpoint on any node."""
    if rule.target is None or rule.target.name != "REJECT":
        return False
    comment = read_comment(rule.comment)
    return comment is None or comment.form is not NO_LOCAL_ENDPOINTS


def _leading(port: ServicePort) -> Rule | None:
    """Return the rule of nat by which connections to a service port come to endpoints, or None."""
    rules = (dump_rule(answer.frontend.rule) for answer in port.answers if answer.endpoints)
    return next((rule for rule in rules if rule.table.name == "nat"), None)


def _is_refused(reached: Reached, rule: Rule) -> bool:
    """Whether connections to a frontend are surely refused by a rule of filter."""
    causes = (failure.cause for fare in reached.fares if fare.fails for failure in fare.failures)
    return any(
        cause.by is not None and (cause.by.table, cause.by.line) == ("filter", rule.line) for cause in causes
    )


# --- two modes -------------------------------------------------------------------------------------------------


def _two_modes(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield that rules of another mode act beside those of the iptables mode."""
    by_set = next(
        (rule for chain in (SERVICES, POSTROUTING) for rule in nat.rules_with("--match-set KUBE-", chain)),
        None,
    )
    by_nft = _with_services(node.node, node.dump.family)
    unread = not node.node.listings and nftables_mode(node.dump, node.node.tables_beyond(node.dump.family))
    own = dispatching(nat)
    if own is None:
        return
    if by_set is not None:
        yield found(both_modes, [own, by_set], line=own.line, mode="ipvs", order="")
    elif by_nft is not None or unread:
        other = [_place(by_nft)] if by_nft else []
        order = _order(by_nft.table) if by_nft else ""
        yield found(both_modes, [own, *other], line=own.line, mode="nftables", order=order)


def check_listings(node: Snapshot) -> Iterator[Finding]:
    """Yield that tables of iptables-nft lead to services, too, where no dump shows these."""
    from iptviz.kube.nftables.own import has_services, own_tables

    for own in own_tables(node.listings):
        ruleset = own.listing.ruleset
        shown = any(dump.family == own.family and "nat" in dump.tables for dump in node.dumps)
        nat = ruleset.table(own.table.family, "nat") if ruleset and not shown else None
        rule = _leading_in(nat) if nat and has_services(own.table) else None
        if rule is not None:
            leading = Evidence(rule.line, rule.text, own.listing.piece.source.name)
            yield found(both_modes, [leading, _place(own)], mode="nftables", order=_order(own.table))


def _with_services(node: Snapshot, family: str) -> OwnTable | None:
    """Return kube-proxy's table of nft for a family, where it has services."""
    if not node.listings:
        return None
    from iptviz.kube.nftables.own import has_services, own_tables  # what dumps alone do not need

    tables = (own for own in own_tables(node.listings) if own.family == family)
    return next((own for own in tables if has_services(own.table)), None)


def _place(own: OwnTable) -> Evidence:
    return Evidence(own.table.line, f"table {own.name} {{", own.listing.piece.source.name)


def _leading_in(nat: NftTable) -> NftRule | None:
    """Return the rule of KUBE-SERVICES that leads to a chain of a service, where a hook of nat leads there."""
    hooks = (nat.chains.get(hook) for hook in HOOKS)
    if SERVICES not in nat.chains or not any(hook and _leads(hook, SERVICES) for hook in hooks):
        return None
    return _leads(nat.chains[SERVICES], *SERVICE_CHAINS, *ENTRY_CHAINS)


def _leads(chain: Chain, *beginnings: str) -> NftRule | None:
    """Return the first rule of a chain that leads to one of a name that begins so."""
    from iptviz.nft.counting import Verdict  # what a dump alone does not need

    for rule in chain.rules:
        if any(isinstance(one, Verdict) and one.chain.startswith(beginnings) for one in rule.statements):
            return rule
    return None


_IPTABLES = -100
"""The priority of nat PREROUTING and OUTPUT of iptables."""


def _order(table: NftTable) -> str:
    """Return which mode is asked first: `nftables`, `iptables`, or `untold` where both have one priority."""
    bases = [chain.base for chain in table.chains.values() if chain.base and chain.base.type == "nat"]
    asked = {base.priority for base in bases if base.hook in {"prerouting", "output"}}
    if not asked or None in asked:
        return ""
    first = {(priority or 0) < _IPTABLES for priority in asked}
    if _IPTABLES in asked or len(first) > 1:
        return "untold"
    return "nftables" if first == {True} else "iptables"


# --- the words -------------------------------------------------------------------------------------------------

_MODES = {
    "ipvs": "rules of its IPVS mode (--match-set KUBE-...) are in nat, too",
    "nftables": "its nftables mode has a table kube-proxy, too",
}
_ORDERS = {
    "": "",
    "untold": "; both are asked at one priority (-100), and no dump shows which is asked first",
    "nftables": "; the table is asked first, by its priority",
    "iptables": "; iptables is asked first, by its priority",
}


def _listed(names: tuple[str, ...], count: int) -> str:
    return and_more(", ".join(names), count - len(names))


@diagnosis("high", reference="projectcalico/calico#2024")
def reject_and_route(*, names: tuple[str, ...], count: int) -> str:
    """The filter table refuses connections to a service as without endpoints, and nat has endpoints of it.

    The whole way was followed: connections to some of its addresses or ports are not rewritten and are refused.

    Why: kube-proxy writes one or the other. Clients get `connection refused` although there are endpoints:
    the tables are of different syncs, or something removed a part of nat.

    Do: Take a second dump. If it says the same, read kube-proxy's log for errors of iptables-restore and restart
    it, which writes both tables anew.
    """
    return f"{_listed(names, count)}: filter refuses connections as without endpoints, and nat has endpoints"


@diagnosis("info")
def mixed_sync(*, names: tuple[str, ...], count: int) -> str:
    """The filter table refuses a service as without endpoints, and nat leads all its connections to endpoints.

    Connections are rewritten before filter runs, so the refusal matches none of them.

    Why: kube-proxy writes one or the other. iptables-save reads one table after the other, and a sync may
    come between: filter is then older than nat, or newer, and the endpoints may be gone or new.

    Do: Take a second dump before you rely on either. If it says the same, kube-proxy wrote only one table: read
    its log for errors of iptables-restore.
    """
    return (
        f"{_listed(names, count)}: filter says no endpoints, nat leads to endpoints: tables of two syncs, "
        "take a second dump before you rely on it"
    )


@diagnosis("critical")
def both_modes(*, mode: str, order: str) -> str:
    """Rules of two of kube-proxy's modes act on one node.

    Those of the iptables mode lead connections to services, and those of the IPVS or nftables mode are there.

    Why: Only one of them is kept up to date. What the old mode rewrites goes to endpoints that may be gone, and
    what it refuses is refused, whatever the new one says. Of two rule sets in nat the first one that rewrites a
    connection decides; at one priority that is the one that was registered last, which no dump shows.

    Do: Find out which mode kube-proxy runs in (its log, or the mode in its ConfigMap), and whether two
    kube-proxies run. Then drain and reboot the node, or stop kube-proxy and run kube-proxy --cleanup.
    """
    both = f"rules of kube-proxy's iptables mode lead connections to services, and {_MODES[mode]}"
    return f"{both}{_ORDERS[order]}"
