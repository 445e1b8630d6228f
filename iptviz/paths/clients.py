"""Kinds of clients: what is known of the packets that each sends to a frontend, and what is assumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.fields import Field, interfaces, network_region
from iptviz.engine.marks import UNKNOWN_CONNMARK, UNKNOWN_MARK, known_mark
from iptviz.engine.packet import Packet
from iptviz.engine.regions import common, complement, everything, region_of
from iptviz.kube.families import AFFINITY_SETS
from iptviz.kube.frontends import is_loopback
from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, parse_network
from iptviz.xtables.values.addresses import show_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.engine.condition import When
    from iptviz.engine.host import Host
    from iptviz.engine.regions import Region
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.limits import AddressLimit


class Client(NamedTuple):
    """One kind of client: where its packets start, and what is known of them.

    `regions` are those in which fields lie, and `is_so` what makes it one of its kind. `assumed` is taken
    for granted, unless somebody says otherwise.
    """

    name: str
    hook: str
    packet: Packet
    regions: dict[Field, Region]
    is_so: When
    assumed: When


_THIS_NODE = Condition("source-type", "LOCAL")
_OFF_THE_WIRE = (
    Assumption(Condition("in-interface", "lo"), holds=False),
    Assumption(Condition("bridge-port", ""), holds=False),
)
_OF_ALL = (
    Assumption(Condition("state", "NEW"), holds=True),
    Assumption(Condition("mark", "0x0"), holds=True),
    Assumption(Condition("connmark", "0x0"), holds=True),
    Assumption(Condition("fragment", ""), holds=False),
    Assumption(Condition("recent", "any list"), holds=False),
)
_AT_LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "::1"}
LOOPBACK = {"ipv4": "127.0.0.0/8", "ipv6": "::1"}


class Asked(NamedTuple):
    """A frontend that connections go to, the networks of pods as far as they are known, and the node.

    `seems_local`: rules treat a cluster IP as an address of the node, as those of a local DNS
    cache do. `taken` are services' addresses that have the port of a frontend without one: none is asked there.
    """

    frontend: Frontend
    family: str
    networks: Sequence[Network]
    host: Host
    seems_local: bool = False
    taken: Sequence[Network] = ()


def clients_of(asked: Asked, but: Sequence[Network] = (), source: Network | None = None) -> list[Client]:
    """Return the kinds of clients of a frontend, or those that may send from `source`, if that is given.

    Their sources are none of `but`.
    """
    pods = _region(asked.networks)
    others = complement(_region(but), 0)
    sent = everything(0) if source is None else _region([source])
    sources = {
        "outside": complement(_region([*asked.networks, _network(LOOPBACK[asked.family])]), 0),
        "pod": pods or everything(0),
        "node": _loopback(asked) if is_at_loopback(asked) else complement(_loopback(asked), 0),
    }
    return [
        _client(asked, kind, common(common(region, others), sent))
        for kind, region in sources.items()
        if common(common(region, others), sent)
    ]


ARRIVING, SENT = "arriving", "node"


def everybody(asked: Asked) -> list[Client]:
    """Return all that may ask a frontend, whatever their sources: who arrives, and this node."""
    loopback = _loopback(asked)
    if is_at_loopback(asked):
        return [_client(asked, SENT, loopback)]
    found = [_client(asked, kind, complement(loopback, 0)) for kind in (ARRIVING, SENT)]
    own = on_loopback(asked)
    return found if own is None else [*found, own]


def is_at_loopback(asked: Asked) -> bool:
    """Whether a frontend is asked at the loopback address: this node alone does that, from that address."""
    return asked.frontend.address is not None and is_loopback(asked.frontend.address)


def on_loopback(asked: Asked) -> Client | None:
    """Return this node as the client of its own port at the loopback address; None: none answers there."""
    limit = asked.frontend.addresses
    if asked.frontend.address is not None or (limit and limit.only and not _is_for_loopback(limit, asked)):
        return None
    loopback = _loopback(asked)
    client = _client(asked, "node", loopback)
    packet = client.packet._replace(source=_network(LOOPBACK[asked.family]))
    return client._replace(packet=packet, regions={**client.regions, Field("destination"): loopback})


def _is_for_loopback(limit: AddressLimit, asked: Asked) -> bool:
    return limit.admits(_AT_LOOPBACK[asked.family])


def client_at(asked: Asked, source: Network, name: str) -> Client:
    """Return the client at an address: this node, if that is known to be its own, else one that arrives."""
    kind = "node" if asked.host.is_local(source) else name
    made = _client(asked, kind, _region([source]))
    packet = made.packet._replace(source=source, unlisted=("",))  # sets tell who stays with an endpoint
    return made._replace(name=name, packet=packet)


def _client(asked: Asked, kind: str, sources: Region) -> Client:
    packet = _first_packet(asked)
    granted = (*_OF_ALL, *_granted(asked, packet))
    regions = {} if sources == everything(0) else {Field("source"): sources}
    if asked.frontend.address is None:
        regions[Field("destination")] = _own_addresses(asked)
    if kind == "node":
        if is_at_loopback(asked):
            packet = packet._replace(source=_network(LOOPBACK[asked.family]))
        is_so = (Assumption(_THIS_NODE, holds=True),)
        return Client(kind, "output", packet._replace(in_interface=""), regions, is_so, granted)
    regions[Field("in-interface")] = complement(interfaces("lo"), "")
    is_so = (Assumption(_THIS_NODE, holds=False),)
    return Client(kind, "prerouting", packet, regions, is_so, (*granted, *_OFF_THE_WIRE))


def _region(networks: Iterable[Network]) -> Region:
    return region_of([bounds for network in networks for bounds in network_region(network) or ()])


def _network(text: str) -> Network:
    network = parse_network(text)
    assert network is not None  # noqa: S101 - a constant of this module
    return network


def _loopback(asked: Asked) -> Region:
    return _region([_network(LOOPBACK[asked.family])])


def _first_packet(asked: Asked) -> Packet:
    frontend, host = asked.frontend, asked.host
    destination = parse_network(frontend.address) if frontend.address else None
    own = host.is_local(destination) if frontend.address else True
    return Packet(
        protocol=frontend.protocol,
        destination=destination,
        destination_port=frontend.port,
        destination_name=frontend.host_name,
        to_this_node=False if own is None and _is_no_address(asked) else own,
        unlisted=("", f"@{AFFINITY_SETS}"),
        mark=known_mark(0),
        connmark=known_mark(0),
        tcp_flags=frozenset({"SYN"}) if frontend.protocol == "tcp" else None,
        own_port=frontend.unprinted,
    )


def _is_no_address(asked: Asked) -> bool:
    """Whether a cluster IP is taken for no address of the node, as it is none in iptables mode."""
    return asked.frontend.kind == "cluster-ip" and not asked.seems_local


def _own_addresses(asked: Asked) -> Region:
    """Return where a port without an address is asked: at the node's own addresses, as far as they are known.

    Of a port that answers at some of them alone, these are meant.
    """
    limit = asked.frontend.addresses
    if limit is not None and limit.only:
        return _region(filter(None, map(parse_network, limit.networks)))
    others = complement(_region([*asked.taken, _network(LOOPBACK[asked.family])]), 0)
    return common(others, _region(asked.host.local)) if asked.host.local else others


def _granted(asked: Asked, packet: Packet) -> When:
    own = asked.frontend.unprinted
    return (*_of_address(asked, packet), *(() if own is None else (Assumption(own, holds=True),)))


def _of_address(asked: Asked, packet: Packet) -> When:
    if asked.taken:
        taken = ",".join(map(show_network, asked.taken))
        return (Assumption(Condition("destination-cidr", taken), holds=False),)
    if not _is_no_address(asked) or asked.host.is_local(packet.destination) is not None:
        return ()
    return (Assumption(Condition("destination-type", "LOCAL"), holds=False),)


# --- what somebody says otherwise ------------------------------------------------------------------------------

_OPENED: dict[str, dict[str, object]] = {
    "state": {"state": None},
    "mark": {"mark": UNKNOWN_MARK},
    "connmark": {"connmark": UNKNOWN_CONNMARK},
    "fragment": {"fragment": None},
    "recent": {"unlisted": ()},
}
"""By the kind of an assumption the fields of a packet that are no longer taken for granted."""


def opened(client: Client, given: When) -> Client:
    """Return a client without what is taken for granted and `given` is about."""
    kinds = {assumption.condition.kind for assumption in given}
    changes = {name: value for kind in kinds for name, value in _OPENED.get(kind, {}).items()}
    regions = {
        field: region
        for field, region in client.regions.items()
        if field.kind != "in-interface" or "in-interface" not in kinds
    }
    return client._replace(
        packet=client.packet._replace(**changes),  # type: ignore[arg-type]
        regions=regions,
        assumed=tuple(each for each in client.assumed if each.condition.kind not in kinds),
    )
