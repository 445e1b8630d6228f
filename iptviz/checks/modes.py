"""In what kube-proxy's two modes differ by intention, in words: a switch from one to the other brings no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 4


def _ports(count: int) -> str:
    return f"{count:,} service port{'' if count == 1 else 's'}"


def _node_port_addresses(*, networks: tuple[str, ...], count: int) -> str:
    return (
        f"node ports of {_ports(count)} answer only at {listed(networks, _MOST)} in nftables mode, in iptables "
        "mode at all addresses of the node (--nodeport-addresses)"
    )


def _at_loopback(*, count: int) -> str:
    return f"node ports of {_ports(count)} answer at 127.0.0.0/8 in iptables mode alone"


def _health_checks(*, count: int) -> str:
    return (
        f"health check ports of {_ports(count)}: in iptables mode a rule of INPUT accepts what asks for them, in "
        "nftables mode none does; what drops there must let them pass itself"
    )


def _refused_from_node(*, count: int) -> str:
    return (
        f"{_ports(count)} without endpoints: in nftables mode the node's own connections to their external "
        "addresses are refused, in iptables mode they leave the node unchanged"
    )


def _affinity_state(*, count: int) -> str:
    return (
        f"{_ports(count)} with session affinity: the new mode does not know which client had which endpoint"
    )


def _own_chains(*, count: int) -> str:
    what = "1 chain" if count == 1 else f"{count:,} chains"
    return f"{what} of kube-proxy in iptables, which the side in nftables mode has not"


REMARKS: dict[str, str | Callable[..., str]] = {
    "mode-node-port-addresses": _node_port_addresses,
    "mode-node-ports-at-loopback": _at_loopback,
    "mode-closed-ports": "ports of cluster IPs that no service has are rejected in nftables mode; in iptables "
    "mode packets to them go on",
    "mode-unallocated": lambda *, networks: (
        f"addresses of {listed(networks, _MOST)} that no service has are dropped in nftables mode; in iptables "
        "mode packets to them go on"
    ),
    "mode-refused-from-node": _refused_from_node,
    "mode-health-checks": _health_checks,
    "mode-forward-accept": "KUBE-FORWARD (line {at}) accepts connections to services before later rules of "
    "FORWARD; in nftables mode no rule does, and an accept in one table keeps no other from dropping",
    "mode-invalid-packets": "KUBE-FORWARD (line {at}) drops packets of no valid state; in nftables mode no rule "
    "of kube-proxy's does",
    "mode-masquerade-random": "source ports are chosen fully at random where nftables mode masquerades, and not "
    "by line {at} of the iptables rules",
    "mode-affinity-state": _affinity_state,
    "mode-host-ports": "host ports ({chain}) are not kube-proxy's: its mode changes nothing of them",
    "mode-own-chains": _own_chains,
}
"""What stands in `expected` of a comparison across modes, there without `mode-` in its id."""
