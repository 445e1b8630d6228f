"""What else is wrong with services of nftables mode: elements that are gone, and chains that end connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.wording import are, listed, named_ports
from iptviz.engine.condition import clauses
from iptviz.kube.nftables.names import EXTERNAL, LOCAL, SERVICE, read_chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import ExaminedTable
    from iptviz.checks.finding import Finding
    from iptviz.nft.model import Chain
    from iptviz.paths.blocked import Blocked

_NAMED = 3
"""So many names are told, of more it is told how many there are."""

_OWNERS = {SERVICE: "cluster IP", LOCAL: "cluster IP", EXTERNAL: "external IP, load-balancer IP or node port"}
"""Kinds of chains that share out or stand before those, and what leads to them in maps."""

_WHOSE = {"outside": "outside clients", "pod": "pods", "node": "the node"}


def check_table(node: ExaminedTable) -> Iterator[Finding]:
    """Yield elements that are gone, and what chains of nft end of what comes to services."""
    if node.complete:
        yield from _gone(node)
    yield from _renamed(node)
    yield from _ended(node)


# --- elements that are gone ------------------------------------------------------------------------------------


def _gone(node: ExaminedTable) -> Iterator[Finding]:
    """Yield chains of service ports to which no element leads, and cluster IPs that no map has: of one cause."""
    chains, addresses = _unled(node), _lost_addresses(node)
    for owner, those in chains.items():
        names = tuple(dict.fromkeys(_name_of(chain.name) for chain in those))
        evidence = [Evidence(chain.line, f"chain {chain.name} {{") for chain in those]
        evidence += addresses if owner == _OWNERS[SERVICE] else []
        yield found(nft_element_missing, evidence, line=those[0].line, owner=owner, names=names)
    if addresses and _OWNERS[SERVICE] not in chains:
        names = tuple(one.text for one in addresses)
        yield found(nft_element_missing, addresses, line=addresses[0].line, owner="", names=names)


def _unled(node: ExaminedTable) -> dict[str, list[Chain]]:
    """Return the chains with rules to which no element of a map leads, by what should.

    kube-proxy empties the chains of a service that is gone in the transaction that takes its elements away.
    """
    from iptviz.kube.nftables.frontends import Frontends  # of nodes in this mode alone

    frontends = Frontends(node.table).all()
    led = {_what(one.leads_to) for one in frontends if one.leads_to}
    refused = {one.service.text for one in frontends if one.is_refused and one.kind == "cluster-ip"}
    lost: dict[str, list[Chain]] = {}
    for name, chain in node.table.nft.chains.items():
        own = read_chain(name)
        if own is None or own.kind not in _OWNERS or _what(name) in led or not chain.has_rules:
            continue
        if own.kind == EXTERNAL or own.service.text not in refused:
            lost.setdefault(_OWNERS[own.kind], []).append(chain)
    return lost


def _what(chain: str) -> tuple[bool, str]:
    """Return what leads to a chain: an element for the cluster IP, or one for all else, of a service port."""
    own = read_chain(chain)
    return own is not None and own.kind == EXTERNAL, own.suffix if own else chain


def _name_of(chain: str) -> str:
    own = read_chain(chain)
    return own.service.text if own and own.service.text else chain


def _lost_addresses(node: ExaminedTable) -> list[Evidence]:
    """Return the cluster IPs of services that stand in no map."""
    from iptviz.kube.nftables.frontends import Frontends
    from iptviz.kube.nftables.table import CLUSTER_IPS
    from iptviz.nft.expressions import network_of
    from iptviz.xtables.values.addresses import show_host

    known = {one.address for one in Frontends(node.table).all()}
    found = ((line, network_of(element.key)) for line, element in node.table.elements(CLUSTER_IPS))
    told = (Evidence(line, show_host(network)) for line, network in found if network is not None)
    return [one for one in told if one.text not in known]


# --- names ---------------------------------------------------------------------------------------------------


def _renamed(node: ExaminedTable) -> Iterator[Finding]:
    """Yield that hashes do not fit the names behind them: who edits a listing edits many."""
    odd = [port for port in node.ports if port.service.named_by == "chain"]
    if odd:
        answers = [next(one for one in port.answers if one.frontend.leads_to) for port in odd]
        yield found(nft_hash_mismatch, [one.frontend.rule for one in answers],
            chains=tuple(one.frontend.leads_to for one in answers), names=tuple(port.name for port in odd),
        )  # fmt: skip


# --- what ends connections -------------------------------------------------------------------------------------


def _ended(node: ExaminedTable) -> Iterator[Finding]:
    from iptviz.paths.blocked import blocked
    from iptviz.paths.native_surroundings import NativeSurroundings
    from iptviz.paths.usual import UsualClients

    pods = NativeSurroundings(node.table, node.evidence.dumps).pod_networks(())
    usual = UsualClients(pods, node.evidence.host)
    for one in blocked(node.reached, usual):
        yield _ended_by(one, node)


def _ended_by(one: Blocked, node: ExaminedTable) -> Finding:
    by = one.by
    names = tuple(dict.fromkeys(node.ports[number].name for number in one.ports))
    groups = tuple(
        (
            tuple(_WHOSE.get(client, client) for client in group.clients),
            clauses(group.when) if group.when else "",
        )
        for group in one.groups
    )
    place = (
        f"rule {by.number} of {by.table} {by.chain}" if by.number else f"{by.text} of {by.table} {by.chain}"
    )
    made = found(
        nft_ends_connections, state="known" if one.certain else "unknown", by=place, outcome=one.outcome,
        groups=groups, services=names, total=len({port.name for port in node.ports}), answers=one.is_answer,
    )  # fmt: skip
    evidence = tuple(Evidence(each.line or 0, each.text) for each in one.rules)
    return made._replace(evidence=evidence, line=by.line or 0, times=len(one.ports))


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis("low")
def nft_hash_mismatch(*, chains: tuple[str, ...], names: tuple[str, ...]) -> str:
    """The hash in a chain's name is not that of the service port behind it.

    The name of a chain is its kind, a hash, and `namespace/service/protocol/port`, of which that is the hash.

    Why: kube-proxy never writes that: names were changed after the listing was made, or rules were written by
    hand. Names in the answer may be wrong, addresses and shares are not concerned.

    Do: Find out whether the listing was edited; iptviz redact keeps names and hashes together.
    """
    hashes = (
        f"the hash of {chains[0]} is" if len(chains) == 1 else f"the hashes of {len(chains):,} chains are"
    )
    return f"{hashes} not that of {named_ports(names)}: edited, or names made up?"


@diagnosis("high")
def nft_element_missing(*, owner: str, names: tuple[str, ...]) -> str:
    """A map of kube-proxy's table lacks the element that leads to a service.

    The chains of the service port are there and have rules, and no element leads to them; or an address is among
    the cluster IPs of services, and no map has it. kube-proxy writes and removes both in one transaction.

    Why: Connections to that address or port are not rewritten on this node, and answered by nobody, or rejected.
    kube-proxy compares with what it remembers and not with the table: the element comes back with its next full
    sync, which may be an hour away, or with a restart.

    Do: Restart kube-proxy on this node, which writes its tables anew, and find out which program took the element
    away (`nft monitor` shows who changes a table).
    """
    count = len(names)
    if not owner:
        of_services = are(names, "is a cluster IP", "are cluster IPs")
        return f"{listed(names, _NAMED)} {of_services} and in no map of services"
    owners = f"{count:,} service port{'s' * (count != 1)} ({named_ports(names)})"
    return f"no element leads to the chains of {owners}: the {owner} of it does not answer"


@diagnosis({"known": "high", "unknown": "info"})
def nft_ends_connections(
    *, by: str, outcome: str, groups: tuple[tuple[tuple[str, ...], str], ...], services: tuple[str, ...],
    total: int, answers: bool,
) -> str:  # fmt: skip
    """A chain or a rule of nft ends connections to services, or the endpoints' answers.

    In nft all chains of a hook are asked, in the order of their priorities, whatever program wrote them: to be
    accepted in one table does not keep a packet from being dropped in another, and kube-proxy opens no port.

    Why: Clients time out, or are refused, whatever kube-proxy's table says.

    Do: Find out which program wrote the chain, by the name of its table, and accept there what it should let
    pass: node ports and the pods' networks in forward, what endpoints of the host's own network serve in input,
    and answers (`ct state established,related accept`) first.
    """
    count = len(services)
    named = named_ports(services)
    many = f"{count:,} of {total:,} service ports ({named})" if total > 1 else named
    whose = "; ".join(f"{' and '.join(who)}{f', when {when}' if when else ''}" for who, when in groups)
    verb = {"DROP": "drops", "REJECT": "rejects"}.get(outcome, "ends")
    what = f"the answers of {many} to {whose}" if answers else f"connections to {many} of {whose}"
    return f"{by} {verb} {what}"
