"""What `diff` tells, as facts: read from its JSON alone."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tests.compare.planted import BY_SINGLE, OTHER_REASON, REACHED
from tests.compare.planted.truth import rounded
from tests.kubeproxy.words import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.compare.planted import Fact

Shape = dict[str, Any]

_LABELS = {
    "session affinity": "affinity",
    "internalTrafficPolicy": "internal policy",
    "externalTrafficPolicy": "external policy",
    "loadBalancerSourceRanges": "source ranges",
    "health check port": "health check",
    "SNAT": "masquerade",
    "refused by": "verdict",
    "connections without endpoint": "leftover",
    "local endpoints alone from outside": "local only",
    "node port answers at": "node port addresses",
}
"""What the document calls properties that have no field of their own."""

_OF_FRONTEND = {"masquerade", "verdict", "leftover", "local only", "node port addresses"}


def told(document: Shape) -> frozenset[Fact]:
    """All facts of a document."""
    services, chains = document["services"], document["chains"]
    facts = [*_of_services(services), *(_of_chains(chains) if chains else ())]
    for kind, field in (("finding new", "findings"), ("finding gone", "findings_gone")):
        facts += [(kind, finding["id"]) for finding in document[field]]
    facts += [("finding changed", both["new"]["id"]) for both in document["findings_changed"]]
    return frozenset(facts)


def _of_services(services: Shape) -> Iterator[Fact]:
    for kind in ("added", "removed"):
        yield from ((f"service {kind}", _name(port)) for port in services[kind])
    for port in services["changed"]:
        yield from _of_port(_name(port), port)


def _name(port: Shape) -> str:
    service = port["service"]
    return f"{service['namespace']}/{service['name']}:{service['port_name']} {port['protocol']}"


def _at(frontend: Shape) -> str:
    address, port = frontend["address"], frontend["port"]
    return written(address, port) if address else f":{port}"


def _of_port(name: str, port: Shape) -> Iterator[Fact]:
    for kind in ("added", "removed"):
        for frontend in port[f"frontends_{kind}"]:
            yield f"frontend {kind}", name, _at(frontend), frontend["kind"]
    for text in port["other"]:
        yield from _of_property(name, [_at(frontend) for frontend in port["frontends"]], text)
    for frontend in port["frontends"]:
        yield from _of_endpoints(name, _at(frontend), port)
    for fares in port["reached"]:
        yield _of_fares(fares), name


def _of_fares(fares: Shape) -> str:
    if fares["single_clients"]:
        return BY_SINGLE
    return OTHER_REASON if fares["old"]["word"] == fares["new"]["word"] else REACHED


def _of_property(name: str, frontends: list[str], text: str) -> Iterator[Fact]:
    label = next((label for label in _LABELS if text.startswith(f"{label} ")), None)
    if label is None:
        assert text.startswith("reached from "), text
        return
    kind = _LABELS[label]
    old, new = text.removeprefix(f"{label} ").split(" -> ")
    if kind not in _OF_FRONTEND:
        yield kind, name, old, new
    for frontend in frontends if kind in _OF_FRONTEND else ():
        yield kind, name, frontend, old, new


def _of_endpoints(name: str, at: str, port: Shape) -> Iterator[Fact]:
    for kind in ("added", "removed"):
        yield from ((f"endpoint {kind}", name, at, end) for end in port[f"endpoints_{kind}"])
    for both in port["endpoint_ports_changed"]:
        yield "endpoint port", name, at, both["old"], both["new"]
    for share in port["shares_changed"]:
        old, new = (rounded(Fraction(share[side])) for side in ("old", "new"))
        yield "share", name, at, share["endpoint"], old, new


def _of_chains(chains: Shape) -> Iterator[Fact]:
    for kind in ("added", "removed", "changed"):
        for chain in chains[kind]:
            where = f"{chain['table']} {chain['chain']}"
            if kind != "changed":
                yield f"chain {kind}", where
            if chain["policy"]:
                yield "policy", where, chain["policy"]["old"], chain["policy"]["new"]
            yield from (_of_rule(where, rule) for rule in chain["rules"])


def _of_rule(where: str, rule: Shape) -> Fact:
    texts = [side["text"] for side in (rule["old"], rule["new"]) if side]
    kind = f"rule {rule['kind']}"
    if kind == "rule moved":
        sure = "surely" if rule["matters"] else "perhaps"
        return kind, where, sure  # of two rules that changed places either may be told as the one that moved
    return (kind, where, *texts) if rule["kind"] == "changed" else (kind, where, texts[-1])
