"""`iptviz packet`: one packet through all tables."""

from __future__ import annotations

from typing import Annotated

import typer

from iptviz.cli.options import (
    DEFAULT_SIZE,
    AsciiOption,
    Color,
    ColorOption,
    DumpArgument,
    DumpNumberOption,
    JsonOption,
    MapOption,
    MaxSizeOption,
    OutputOption,
    QuietOption,
    RedactOption,
    StrictOption,
    VerboseOption,
    format_option,
)
from iptviz.cli.pseudonyms import asked_dump
from iptviz.cli.run import ANSWERED, Reading, answer, chosen_format, chosen_style
from iptviz.output import write_answer
from iptviz.xtables.address import parse_network


def _known(flag: str, metavar: str, text: str) -> typer.models.OptionInfo:
    """Return an option that says something about the packet, which is unknown without it."""
    option: typer.models.OptionInfo = typer.Option(flag, metavar=metavar, help=text, show_default=False)
    return option


def _family(address: str) -> str | None:
    """Return the family of an address, which tells which of several dumps is meant."""
    network = parse_network(address)
    return f"ipv{network.version}" if network else None


def packet_command(
    dump: DumpArgument = None,
    src: Annotated[str | None, _known("--src", "A", "Source: an address, or a network it lies in.")] = None,
    dst: Annotated[str | None, _known("--dst", "A", "Destination, before any rewriting.")] = None,
    protocol: Annotated[str | None, _known("--protocol", "P", "tcp, udp, icmp ...")] = None,
    sport: Annotated[int | None, _known("--sport", "N", "Source port.")] = None,
    dport: Annotated[int | None, _known("--dport", "N", "Destination port, before any rewriting.")] = None,
    hook: Annotated[
        str,
        typer.Option(
            "--hook", metavar="HOOK", help="prerouting: it arrives at the node; output: the node sends it."
        ),
    ] = "prerouting",
    in_iface: Annotated[str | None, _known("--in", "IFACE", "Interface by which it arrives.")] = None,
    out_iface: Annotated[str | None, _known("--out", "IFACE", "Interface by which it leaves.")] = None,
    ctstate: Annotated[
        str,
        typer.Option("--ctstate", metavar="STATE", help="NEW, ESTABLISHED, RELATED, INVALID or UNTRACKED."),
    ] = "NEW",
    mark: Annotated[str | None, _known("--mark", "M", "Its mark when it comes, such as 0x0.")] = None,
    local_ip: Annotated[
        list[str] | None, _known("--local-ip", "A", "An address of the node itself; may be repeated.")
    ] = None,
    tcp_flags: Annotated[str | None, _known("--tcp-flags", "LIST", "The flags set: SYN or SYN,ACK.")] = None,
    icmp_type: Annotated[str | None, _known("--icmp-type", "TYPE", "8, 8/0 or echo-request.")] = None,
    length: Annotated[int | None, _known("--length", "N", "Length in bytes, IP header included.")] = None,
    ttl: Annotated[int | None, _known("--ttl", "N", "Time to live, or hop limit.")] = None,
    tos: Annotated[int | None, _known("--tos", "N", "Type of service, or traffic class.")] = None,
    mac: Annotated[str | None, _known("--mac", "M", "Source MAC address.")] = None,
    uid: Annotated[int | None, _known("--uid", "N", "Who sends it, with --hook output.")] = None,
    gid: Annotated[int | None, _known("--gid", "N", "That sender's group.")] = None,
    addresses: Annotated[
        str | None, _known("--addresses", "FILE", "The node's `ip address`: which addresses are its own.")
    ] = None,
    routes: Annotated[
        str | None, _known("--routes", "FILE", "The node's `ip route`: where a packet leaves.")
    ] = None,
    ipset: Annotated[
        str | None, _known("--ipset", "FILE", "The node's `ipset save`: what its sets hold.")
    ] = None,
    recent: Annotated[
        str | None, _known("--recent", "FILE", "A list of /proc/net/xt_recent: which clients came before.")
    ] = None,
    assume: Annotated[
        list[str] | None,
        _known("--assume", "CONDITION", "Take a condition of the answer for true; may be repeated."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show the rules that did not match, too, and why.")
    ] = False,
    format_name: Annotated[str | None, format_option("packet")] = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    show_all: Annotated[bool, typer.Option("--all", help="Do not fold long lists.")] = False,
    redact: RedactOption = False,
    mapping: MapOption = None,
    number: DumpNumberOption = None,
    strict: StrictOption = False,
    max_size: MaxSizeOption = DEFAULT_SIZE,
    color: ColorOption = Color.AUTO,
    ascii_only: AsciiOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show what becomes of one packet, in every table that it meets; what is not given is unknown."""

    def ask() -> int:
        from iptviz.questions.packet import packet  # the whole engine, which other commands do without

        chosen = chosen_format("packet", format_name, output, as_json=as_json)
        reading = Reading(number, max_size, strict, verbose, quiet)
        files = {"addresses": addresses, "routes": routes, "ipset": ipset, "recent": recent}
        family = _family(dst or src or "")
        about = asked_dump(dump, reading, family, redact=redact, mapping=mapping, output=output, files=files)
        result = packet(
            about.dump,
            src=about.address(src),
            dst=about.address(dst),
            protocol=protocol,
            sport=sport,
            dport=dport,
            hook=hook,
            in_iface=about.interface(in_iface),
            out_iface=about.interface(out_iface),
            mark=mark,
            ctstate=ctstate,
            length=length,
            local_ips=tuple(about.address(one) or one for one in local_ip or ()),
            tcp_flags=tcp_flags,
            icmp_type=icmp_type,
            ttl=ttl,
            tos=tos,
            mac=about.mac(mac),
            uid=uid,
            gid=gid,
            **about.files,
            assume=tuple(map(about.assumption, assume or ())),
            explain=explain,
        )
        style = chosen_style(color, output, ascii_only=ascii_only)
        write_answer(chosen.writer("packet")(result, style, fold=not show_all), output)
        return ANSWERED

    answer(ask)
