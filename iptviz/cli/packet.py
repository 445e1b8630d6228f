"""`iptviz packet`: one packet through all tables."""

from collections.abc import Mapping
from typing import Annotated, Any, Unpack, cast

from iptviz.cli.command import CommandResult, question
from iptviz.cli.options import (
    AddressesOption,
    After,
    AssumeOption,
    ConntrackOption,
    IpsetOption,
    NodeArgument,
    PodsOption,
    RecentOption,
    RoutesOption,
    SysctlOption,
    told_option,
)
from iptviz.cli.told import Argument, option
from iptviz.errors import PacketError
from iptviz.questions.packet_fields import FIELDS, PacketFields, apart
from iptviz.redact.named import Named
from iptviz.xtables.address import parse_network


def _fields() -> list[Argument]:
    """Return the options that describe the packet, a row of the table each."""
    return [
        Argument(
            name,
            field.typed | None,
            told_option(field.flag, field.metavar, field.help),
            field.default,
            field.named,
        )
        for name, field in FIELDS.items()
    ]


_PORTS = {"sport": "src", "dport": "dst"}
"""Ports, and the addresses with which they may be given."""

_OF_ONE_PROTOCOL = ("protocol", "tcp_flags", "icmp_type")
"""What tells of which protocol a packet is."""


def _family(typed: Mapping[str, Any]) -> str | None:
    """Return the family of the packet's addresses, which tells which of several dumps is meant.

    Raises:
        PacketError: a port is given and no protocol, or two ports for one address.
    """
    said = apart(cast("PacketFields", {name: typed[name] for name in FIELDS}))
    ports = [
        FIELDS[name].flag if typed.get(name) is not None else f"{FIELDS[beside].flag} with a port"
        for name, beside in _PORTS.items()
        if said.get(name) is not None
    ]
    if ports and all(said.get(name) is None for name in _OF_ONE_PROTOCOL):
        verb = "need" if len(ports) > 1 else "needs"
        raise PacketError(f"{' and '.join(ports)} {verb} --protocol tcp, udp or sctp")
    network = parse_network(said["dst"] or said["src"] or "")
    return f"ipv{network.version}" if network else None


@question("packet", without=("exit_zero",), more=_fields(), check=_family)
def packet_command(
    dump: NodeArgument,
    local_ip: Annotated[
        list[str] | None,
        told_option("--local-ip", "A", "Address of the node itself; may be repeated."),
        Named.ADDRESS,
        After("mark"),
    ] = None,
    addresses: AddressesOption = None,
    routes: RoutesOption = None,
    ipset: IpsetOption = None,
    recent: RecentOption = None,
    sysctl: SysctlOption = None,
    conntrack: ConntrackOption = None,
    pods: PodsOption = None,
    assume: AssumeOption = None,
    explain: Annotated[
        bool,
        option("--explain", text="Also show the rules that did not match, and why."),
        Named.NOTHING,
    ] = False,
    **fields: Unpack[PacketFields],
) -> CommandResult:
    """Simulate one packet through raw, mangle, nat, filter and security.

    Unspecified fields are treated as unknown.
    """
    from iptviz.questions.packet import packet  # the whole engine, which other commands do without

    return CommandResult(
        packet(
            dump,
            local_ips=local_ip or (),
            addresses=addresses,
            routes=routes,
            ipset=ipset,
            recent=recent,
            sysctl=sysctl,
            conntrack=conntrack,
            pods=pods,
            assume=assume or (),
            explain=explain,
            **fields,
        )
    )
