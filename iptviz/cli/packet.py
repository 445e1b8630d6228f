"""`iptviz packet`: one packet through all tables."""

from collections.abc import Mapping
from typing import Annotated, Any, Unpack

import typer

from iptviz.cli.command import Argument, CommandResult, question
from iptviz.cli.options import After, NodeArgument
from iptviz.questions.packet_fields import FIELDS, PacketFields
from iptviz.redact.named import Named
from iptviz.supplied.files import FileArgument
from iptviz.xtables.address import parse_network


def _option(flag: str, metavar: str, text: str) -> typer.models.OptionInfo:
    """Return an option that says something about the packet or its node, which is unknown without it."""
    option: typer.models.OptionInfo = typer.Option(flag, metavar=metavar, help=text)
    return option


def _fields() -> list[Argument]:
    """Return the options that describe the packet, a row of the table each."""
    return [
        Argument(
            name,
            field.typed | None,
            _option(field.flag, field.metavar, field.help),
            field.default,
            field.named,
        )
        for name, field in FIELDS.items()
    ]


def _family(typed: Mapping[str, Any]) -> str | None:
    """Return the family of the packet's addresses, which tells which of several dumps is meant."""
    network = parse_network(typed["dst"] or typed["src"] or "")
    return f"ipv{network.version}" if network else None


@question("packet", without=("exit_zero",), more=_fields(), check=_family)
def packet_command(
    dump: NodeArgument,
    local_ip: Annotated[
        list[str] | None,
        _option("--local-ip", "A", "An address of the node itself; may be repeated."),
        Named.ADDRESS,
        After("mark"),
    ] = None,
    addresses: Annotated[
        FileArgument,
        _option("--addresses", "FILE", "The node's `ip address`: which addresses are its own."),
        Named.ADDRESS_FILE,
    ] = None,
    routes: Annotated[
        FileArgument,
        _option("--routes", "FILE", "The node's `ip route`: where a packet leaves."),
        Named.ROUTE_FILE,
    ] = None,
    ipset: Annotated[
        FileArgument,
        _option("--ipset", "FILE", "The node's `ipset save`: what its sets hold."),
        Named.IPSET_FILE,
    ] = None,
    recent: Annotated[
        FileArgument,
        _option("--recent", "FILE", "A list of /proc/net/xt_recent: which clients came before."),
        Named.RECENT_FILE,
    ] = None,
    assume: Annotated[
        list[str] | None,
        _option("--assume", "CONDITION", "Take a condition of the answer for true; may be repeated."),
        Named.CONDITION,
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show the rules that did not match, too, and why."),
        Named.NOTHING,
    ] = False,
    **fields: Unpack[PacketFields],
) -> CommandResult:
    """Show what becomes of one packet, in every table that it meets; what is not given is unknown."""
    from iptviz.questions.packet import packet  # the whole engine, which other commands do without

    return CommandResult(
        packet(
            dump,
            local_ips=local_ip or (),
            addresses=addresses,
            routes=routes,
            ipset=ipset,
            recent=recent,
            assume=assume or (),
            explain=explain,
            **fields,
        )
    )
