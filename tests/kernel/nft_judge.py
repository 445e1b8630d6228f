"""What is said of nodes of nftables mode, held against connections that were tried."""

from __future__ import annotations

from typing import TYPE_CHECKING

import iptviz
from tests.kernel.attempts import NODE
from tests.kernel.judge import NEVER, answers_at
from tests.kernel.nft_nodes import try_again
from tests.kernel.ways import Comparison, Setting
from tests.nftproxy.truth import Frontend, target_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.node.snapshot import Snapshot
    from iptviz.supplied.files import Supplied
    from tests.kernel.asked_conditions import Shape
    from tests.kernel.crossroads import Crossroads
    from tests.kernel.nft_nodes import Tried
    from tests.kernel.site import Site

_KNOWN = {
    "net.ipv4.conf.all.route_localnet": "0", "net.ipv4.conf.all.rp_filter": "0",
    "net.bridge.bridge-nf-call-iptables": "1", "net.bridge.bridge-nf-call-ip6tables": "1",
}  # fmt: skip
SETTING = Setting(tuple(_KNOWN.items()))


def said_of(node: Snapshot, frontend: Frontend, client: str, beside: dict[str, Supplied]) -> Shape:
    """Return what is said of a frontend; `client` is an address, or empty for kinds of clients."""
    result = iptviz.trace(node, target_of(frontend), client=client, **beside)  # type: ignore[arg-type]
    every: list[Shape] = result.to_dict()["services"]
    found = [one for one in every if _is_at(one["frontend"], frontend)]
    assert len(found) == 1, f"{target_of(frontend)}: {len(found)} frontends"
    return found[0]


def _is_at(said: Shape, frontend: Frontend) -> bool:
    asked = (frontend.address, frontend.port, frontend.protocol)
    return (said["address"], said["port"], said["protocol"]) == asked


def disagreements(
    lab: Crossroads, node: Snapshot, every: Iterable[Tried], beside: dict[str, Supplied]
) -> Iterator[str]:
    """Yield what disagrees of connections to a node's frontends, and still does where they are tried again."""
    for (frontend, client), some in _asked(every).items():
        said = said_of(node, frontend, client, beside)
        met = [one for one in some if answers_at(said["frontend"], one.fate.attempt.destination)]
        if list(_troubles(said, lab.site, met)):
            for trouble in _troubles(
                said, lab.site, try_again(lab, met * (1 if met[0].service.affinity else 4))
            ):
                yield f"{target_of(frontend)} {client}: {trouble}"


def _asked(every: Iterable[Tried]) -> dict[tuple[Frontend, str], list[Tried]]:
    """Return connections by frontend; endpoints of the service, who are no kind of clients, each apart."""
    found: dict[tuple[Frontend, str], list[Tried]] = {}
    for one in every:
        found.setdefault((one.frontend, _apart(one)), []).append(one)
    return found


def _apart(one: Tried) -> str:
    source = one.fate.attempt.source
    is_endpoint = any(address == source for address, _ in one.service.endpoints)
    return source if is_endpoint and one.fate.attempt.client != NODE else ""


def _troubles(said: Shape, site: Site, some: list[Tried]) -> Iterator[str]:
    """Yield what disagrees; where clients stay with their endpoint, each counts once among the shares."""
    comparison = Comparison(said["paths"], site, SETTING)
    sticky = any(one.service.affinity for one in some)
    clients = {one.fate.attempt.source: one.fate for one in reversed(some)}
    if sticky:
        yield from map(str, comparison.troubles(list(clients.values()), NEVER))
    yield from map(str, comparison.troubles([one.fate for one in some], 0.0 if sticky else NEVER))
