"""What session affinity (ClientIP) brings with it: clients that stay, and lists that forget them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import are, listed, these
from iptviz.kube.families import ENDPOINT_CHAIN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.kube.service_ports import ServicePort

_LIST_TOTAL = 100
"""How many addresses a list of xt_recent holds, unless its parameter ip_list_tot says otherwise."""

_MOST_RULES = 20
"""The most rules that are shown: each endpoint has one."""


def check(node: Examined) -> Iterator[Finding]:
    """Yield what session affinity brings with it, where services have it."""
    ports = [port for port in node.ports if port.affinity is not None]
    if not ports:
        return
    rules = _asking(node, ports)
    names = tuple(port.name for port in ports)
    seconds = tuple(sorted({port.affinity or 0 for port in ports}))
    yield found(affinity_pins, rules, names=names, seconds=seconds)._replace(times=len(ports))
    if several := _of_several_ports(ports):
        yield found(affinity_per_port, [port.usual.frontend.rule for port in ports if _whose(port) in several],
            names=tuple(several),
        )  # fmt: skip
    sizes = _sizes(node)
    if max(sizes.values(), default=0) <= _LIST_TOTAL:  # else the limit is another
        full = tuple(name for name, size in sizes.items() if size == _LIST_TOTAL)
        yield found(affinity_list_full, rules, state="full" if full else "", names=names, full=full)._replace(
            times=max(len(full), 1)
        )


def _asking(node: Examined, ports: Sequence[ServicePort]) -> list[Rule]:
    """Return some of the rules that ask lists, at least one of each of the first service ports."""
    nat = node.dump.tables["nat"]
    asking = [
        next(nat.rules_with("--rcheck", answer.chain), None)
        for port in ports[:_MOST_RULES]
        for answer in port.answers
        if answer.chain and answer.affinity is not None
    ]
    return list(dict.fromkeys(rule for rule in asking if rule is not None))


def _whose(port: ServicePort) -> str:
    return f"{port.service.namespace}/{port.service.name}" if port.service.name else ""


def _of_several_ports(ports: Sequence[ServicePort]) -> list[str]:
    """Return the services that have affinity at several ports."""
    counted: dict[str, int] = {}
    for name in filter(None, map(_whose, ports)):
        counted[name] = counted.get(name, 0) + 1
    return [name for name, count in counted.items() if count > 1]


def _sizes(node: Examined) -> dict[str, int]:
    """Return how many clients the lists of endpoints hold, as far as that is known."""
    nat = node.dump.tables["nat"]
    return {
        name: len(one.entries)
        for name, one in (node.evidence.host.recent or {}).items()
        if name.startswith(ENDPOINT_CHAIN) and nat.has_chain(name)
    }


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis("info", reference="k/k#110302")
def affinity_pins(*, names: tuple[str, ...], seconds: tuple[int, ...]) -> str:
    """Session affinity keeps clients on their endpoint.

    Why: Shares hold for new clients only. Few clients, or many behind one address, make endpoints unequal,
    and a new endpoint waits for clients that have none yet.

    Do: Nothing if intended; otherwise set sessionAffinity to None.
    """
    spans = f"{listed([f'{one:,}' for one in seconds], 3)} seconds"
    whose = are(names, "its clients keep their endpoint", "their clients keep their endpoints")
    return f"{these(names)}: {whose} for {spans} after their last connection; shares are for new clients"


@diagnosis("info", reference="k/k#103000")
def affinity_per_port(*, names: tuple[str, ...]) -> str:
    """A service with session affinity has several ports, and each keeps its own lists.

    Why: A client may get one endpoint at one port and another at the next, which breaks what spans both.

    Do: Do not count on one endpoint for several ports of a service: use one port, or share the state.
    """
    return f"{these(names)}: session affinity is per port; another port may choose another endpoint"


@diagnosis({"full": "high", "": "info"})
def affinity_list_full(*, names: tuple[str, ...], full: tuple[str, ...]) -> str:
    """Session affinity remembers 100 clients per endpoint; the next one evicts the oldest.

    The severity is high where the given lists are full. xt_recent's parameter ip_list_tot
    is the limit.

    Why: Affinity works in tests and fails in production: a forgotten client may get another endpoint.

    Do: Load the module xt_recent with a larger ip_list_tot on all nodes, or let an ingress with cookies do it.
    """
    if full:
        forgets = (
            "the next client makes it forget one" if len(full) == 1 else "new clients make them forget others"
        )
        return f"{listed(full, 3)} {are(full, 'holds', 'hold')} 100 clients, the maximum: {forgets}"
    return (
        f"{these(names)}: affinity remembers 100 clients per endpoint, unless ip_list_tot of xt_recent is set"
    )
