"""Who tries to connect to a frontend: clients outside, pods here and elsewhere, and the node itself."""

from __future__ import annotations

import random
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tests.kernel.attempts import NODE, Attempt
from tests.kernel.site import AWAY, OUTSIDE, PODS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.attempts import Fate
    from tests.kernel.crossroads import Crossroads
    from tests.kernel.site import Site

STRANGERS = {4: ("198.51.100.0", "100.64.9.0"), 6: ("2001:db8:c633::", "2001:db8:6440::")}
"""Networks of outside clients."""
OFTEN = 0.7
FEW = 2
_OWN_ADDRESSES = 150
"""So many clients have an address of their own each."""


def sources(site: Site, kind: str, times: int) -> Iterator[tuple[str, str]]:
    """Yield by which link, or from `node`, clients of a kind come, and from which address: each another one.

    Which of two kinds of addresses is next is left to chance, so that no rule that counts can follow it.
    """
    dice = random.Random(times)
    for number in range(times):
        often = dice.random() < OFTEN
        if kind == OUTSIDE:
            yield OUTSIDE, str(ip_address(STRANGERS[site.family][often]) + 7 + number % 200)
        elif kind == NODE:
            yield NODE, site.addresses[0] if often else site.gateway
        elif often:
            yield PODS, site.pod_clients[number % len(site.pod_clients)]
        else:
            yield AWAY, str(ip_address(site.gateway) + 1024 + number % 200)


def attempts(site: Site, kind: str, destination: str, port: int, protocol: str, times: int) -> list[Attempt]:
    """Return attempts of one kind of client; the node reaches its own addresses from those."""
    return [
        Attempt(
            link,
            destination if link == NODE and site.has(destination) else source,
            destination,
            port,
            protocol,
        )
        for link, source in sources(site, kind, times)
    ]


def tried(lab: Crossroads, some: list[Attempt], patience: float, *, sticky: bool) -> list[Fate]:
    """Try; lists of -m recent forget each time who has few addresses, as the node has."""
    if not sticky:
        return lab.attempt(some, patience)
    lab.forget()
    some = some[:_OWN_ADDRESSES]
    if len({one.source for one in some}) > FEW:
        return lab.attempt(some, patience)
    fates = []
    for one in some[:40]:
        lab.forget()
        fates += lab.attempt([one], patience)
    return fates
