"""What the answer about a packet lacks, takes for granted, and what would narrow it: no diagnoses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import are

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_TAKEN = {"rp_filter": "rp_filter (assumed to drop nothing)"}


def _as_taken(name: str) -> str:
    return _TAKEN.get(name, f"{name} (assumed 1)")


def _tables(names: Sequence[str]) -> str:
    return f"{', '.join(names)} {are(names, 'table', 'tables')}"


def _overruled(state: str) -> str:
    return f", not {state} as --ctstate says" if state else ""


REMARKS: dict[str, str | Callable[..., str]] = {
    "chain-unseen": "{chain} has no rules in this incomplete dump: its effect is unknown",
    "endpoint-unseen": "{chain} leads to no endpoint in this incomplete dump; on the node it may",
    "nat-decided-before": "nat sees only the first packet of a connection: DNAT and SNAT of a packet in state "
    "{state} were decided then, assumed by the same rules, and the other tables see it rewritten",
    "begins-no-connection": "this packet cannot begin a connection, so its state is INVALID; pass --ctstate if "
    "it belongs to a connection that exists",
    "times-not-compared": "how long ago an address came to the recent list {name} is not known: its times count "
    "from the node's start",
    "connection-found": lambda *, place, reply, state, instead: (
        f"{place} has the connection of this packet{', which is a reply' if reply else ''}: state {state}"
        f"{_overruled(instead)}"
    ),
    "connection-over": lambda *, place, of, instead: (
        f"{place} has a connection of this packet's addresses and ports that is over ({of}): a SYN begins another"
        f"{_overruled(instead)}"
    ),
    "connection-refuses": lambda *, place, of, instead: (
        f"{place} has the connection{f' in state {of}' if of else ''}, in which a packet with these TCP flags is "
        f"INVALID{_overruled(instead)}"
    ),
    "connection-reset": "{place} has a connection of this packet's addresses and ports that was reset: a SYN "
    "begins another if its sender reset it, or one side had closed it before",
    "connections-match": lambda *, count, options: (
        f"the packet may be of {count:,} tracked connection{'s' if count > 1 else ''}"
        + (f"; pass {', '.join(options)} to tell which" if options else "")
    ),
    "connection-missing": "{text}: it is not ESTABLISHED on this node",
    "policies-alone": "no built-in chain of hook {hook} has a rule in this dump: only policies decide",
    "tables-taken-as-empty": lambda *, tables: f"no {_tables(tables)} in the dump; assumed empty",
    "tables-unseen": lambda *, tables: (
        f"no {_tables(tables)} in the dump; rules that the node may have there are unknown"
    ),
    "evidence-unread": "not used: {problem}",
    "set-not-handed-in": "set {name} is not in the given ipsets: rules that match it are conditions",
    "own-addresses-unknown": "the node's own addresses are unknown: assumed that the packet leaves the node "
    "(pass --local-ip or --addresses)",
    "bridged-unseen": lambda *, bridge, setting, off: (
        f"{setting} is 0: what bridge {bridge} passes between its ports meets none of these rules"
        if off
        else f"if {bridge} is a bridge, what it passes between its ports meets these rules only if {setting} is 1"
    ),
    "copy-comes-back": lambda *, destination, joined: (
        f"this node also gets a copy of what it sends to {destination}{', if it has joined' if joined else ''}: "
        "back in by the interface that it leaves by, through raw and mangle PREROUTING and INPUT, not followed"
    ),
    "targets-mixed": "if some DNAT targets are local to this node and others are not, cases that depend on it do "
    "not apply (pass --local-ip or --addresses)",
    "settings-unseen": lambda *, names, there: (
        f"not visible in {there}: {', '.join(map(_as_taken, names))}; pass --sysctl"
    ),
    "setting-of-all": "{name}: if it is not 1, the interface's own setting is assumed 0, too",
    "narrowed-by": lambda *, options: f"narrow the packet with {', '.join(options)}",
}
