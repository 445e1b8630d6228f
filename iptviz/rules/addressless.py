"""DNAT rules that do not show where they send connections, and what tells it beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.rules.form import TARGET, UNKNOWN_PORTS, Action, Rewriting, is_unreadable, unreadable
from iptviz.xtables.address import parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.rules.form import CompiledRule

ENDPOINT_CHAIN, MARKING_CHAIN = "KUBE-SEP-", "KUBE-MARK-MASQ"
_WAY = re.compile(r" -> (\S+)\Z")
_WRONG = (
    "[unsupported revision]", "[hidden by nft]", "--to-destination :0", "--to-destination 0.0.0.0:0",
    "--to-destination [::]:0", "--to-destination --", "--to-destination  ", "-j DNAT --random",
    "-j DNAT --persistent", "-j DNAT\n", "-j DNAT\r",
)  # fmt: skip
"""What stands in the line of a DNAT rule whose address could not be printed."""


def without_address(table: Table, as_printed: Callable[[Rule], CompiledRule]) -> list[Rule]:
    """Return the DNAT rules that show no address, by line: a search of bytes."""
    found = dict.fromkeys(rule for text in _WRONG for rule in table.rules_with(text))
    lacking = [rule for rule in found if lacks_address(as_printed(rule).action)]
    return sorted(lacking, key=lambda rule: rule.line)


def shows_no_address(rule: Rule) -> bool:
    """Whether a DNAT rule does not show its address, be that known by others."""
    text = f"{rule.text}\n"
    is_wrong = any(wrong in text for wrong in _WRONG)
    return is_wrong and rule.target is not None and rule.target.name == "DNAT"


def lacks_address(action: Action) -> bool:
    """Whether an action is a DNAT of which neither address nor port can be read."""
    if action.name != "DNAT" or action.kind != TARGET:
        return False
    sent = action.operand
    if not isinstance(sent, Rewriting):
        return True
    if sent.network is not None:
        return sent.network.value == 0 and sent.ports == "0"
    is_none = not sent.addresses and sent.ports in {"", "0"}
    return is_none or sent.addresses.startswith("--") or is_unreadable(sent.addresses)


def sent_by_chain(table: Table, chain: str, as_printed: Callable[[Rule], CompiledRule]) -> Rewriting:
    """Return where an endpoint's chain sends connections, as comments on the way or its hairpin rule tell."""
    for rule in table.rules_to(chain):
        told = _WAY.search(rule.comment or "")
        address, port = split_endpoint(told[1]) if told else ("", None)
        network = parse_network(address) if "/" not in address else None
        if network is not None and port is not None:
            return Rewriting(address, network, str(port), port)
    return _by_hairpin(table, chain, as_printed) or unreadable(chain)


def _by_hairpin(table: Table, chain: str, as_printed: Callable[[Rule], CompiledRule]) -> Rewriting | None:
    """Return the address by the rule that marks what the endpoint sends to itself; its port is not known."""
    for rule in table.rules_of(chain):
        made = as_printed(rule)
        sources = [test.operand[0] for test in made.tests if test.kind == "source" and not test.negated]
        if made.jump == MARKING_CHAIN and sources and sources[0] is not None:
            address = next(option.values[0] for option in rule.parts.basics if option.name == "-s")
            return Rewriting(address.partition("/")[0], sources[0], UNKNOWN_PORTS, None)
    return None
