"""Targets that stand in a table, or behind a built-in chain, where the kernel refuses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import and_more
from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.families import KERNEL, names
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table


def check(node: Examined) -> Iterator[Finding]:
    """Yield targets that are used where the kernel refuses them; nothing of tables whose names are guessed."""
    if any(gap.id == "table-not-named" for gap in node.dump.gaps):
        return
    for table in node.dump.tables.values():
        yield from _illegal_targets(table, node.dump.backend)


class _Allowed(NamedTuple):
    """The tables and built-in chains that a target may be used in or reached from; empty: all.

    `backend` is the one that minds, empty for both. `option` is the one that it is about, if it is about one.
    """

    tables: str = ""
    hooks: str = ""
    backend: str = ""
    option: str = ""


_MANGLE = _Allowed("mangle")
_ALLOWED = {
    "DNAT": _Allowed("nat", "PREROUTING OUTPUT"),
    "REDIRECT": _Allowed("nat", "PREROUTING OUTPUT"),
    "SNAT": _Allowed("nat", "INPUT POSTROUTING"),
    "MASQUERADE": _Allowed("nat", "POSTROUTING"),
    "NETMAP": _Allowed("nat"),
    "REJECT": _Allowed("filter"),
    "TPROXY": _Allowed("mangle", "PREROUTING"),
    "CT": _Allowed("raw"),
    "NOTRACK": _Allowed("raw"),
    "TRACE": _Allowed("raw", backend="legacy"),
    "CHECKSUM": _MANGLE,
    "DSCP": _MANGLE,
    "ECN": _MANGLE,
    "HL": _MANGLE,
    "TCPOPTSTRIP": _MANGLE,
    "TOS": _MANGLE,
    "TTL": _MANGLE,
    "CONNSECMARK": _Allowed("mangle security"),
    "DNPT": _Allowed("mangle", "PREROUTING OUTPUT"),
    "SNPT": _Allowed("mangle", "INPUT POSTROUTING"),
    "CLASSIFY": _Allowed(hooks="FORWARD OUTPUT POSTROUTING"),
    "SYNPROXY": _Allowed(hooks="INPUT FORWARD"),
    "TCPMSS": _Allowed(hooks="FORWARD OUTPUT POSTROUTING", backend="legacy", option="--clamp-mss-to-pmtu"),
}
"""Tried in a kernel (6.18) with both backends, in every built-in chain and in user chains behind them.

Both agree but for TRACE, which nf_tables takes in every table, and TCPMSS --clamp-mss-to-pmtu, which it takes in
user chains wherever they are reached from. A user chain that nothing leads to may hold what its table allows.
"""


def _illegal_targets(table: Table, backend: str | None) -> Iterator[Finding]:
    """Yield for each target that stands where the kernel forbids it all its rules of this kind."""
    for target, allowed in _ALLOWED.items():
        users = table.calls.users.get(to_bytes(target))
        if users is None or (allowed.backend and allowed.backend != backend):
            continue
        by_table = bool(allowed.tables) and table.name not in allowed.tables.split()
        hooks = () if by_table else tuple(_forbidden_hooks(table, allowed, users))
        chains = set(users) if by_table else set(users) & table.calls.reached(*hooks)
        rules = [rule for chain in chains for rule in table.rules_with(target, to_text(chain))]
        rules = sorted((rule for rule in rules if _uses(rule, target, allowed)), key=lambda rule: rule.line)
        if rules:
            yield found(illegal_target, rules, line=rules[0].line, target=target, table=table.name,
                hooks=tuple(map(to_text, hooks)), allowed=_places(allowed), option=allowed.option,
            )  # fmt: skip


def _forbidden_hooks(table: Table, allowed: _Allowed, users: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the built-in chains that lead to one of `users`, and must not."""
    legal = allowed.hooks.split()
    hooks = names("hook", table=table.name, writer=KERNEL) if legal else ()
    illegal = [to_bytes(name) for name in hooks if name not in legal]
    if not table.calls.reached(*illegal).isdisjoint(users):
        yield from (hook for hook in illegal if not table.calls.reached(hook).isdisjoint(users))


def _uses(rule: Rule, target: str, allowed: _Allowed) -> bool:
    used = rule.target
    return (
        rule.jump is None
        and used is not None
        and used.name == target
        and (not allowed.option or any(option.name == allowed.option for option in used.options))
    )


def _places(allowed: _Allowed) -> str:
    """Return where a target is allowed: `PREROUTING and OUTPUT of nat`."""
    tables, hooks = " and ".join(allowed.tables.split()), " and ".join(allowed.hooks.split())
    return f"{hooks} of {tables}" if hooks and tables else hooks or f"table {tables}"


@diagnosis("high")
def illegal_target(*, target: str, table: str, hooks: tuple[str, ...], allowed: str, option: str) -> str:
    """A target stands in a table, or is reached from a built-in chain, where the kernel does not allow it.

    DNAT outside nat, MASQUERADE on the way from PREROUTING, REJECT outside filter.

    Why: The kernel refuses to load such a rule, so no node runs this text: it was edited, or rules of one table
    were put into another. A restore of it fails, and nothing of it is loaded.

    Do: Take a fresh dump from the node. If the rules are your own, move them to a table and chain that allow the
    target.
    """
    what = f"{target} {option}".strip()
    where = f"behind {and_more(hooks[0], len(hooks) - 1)} of table {table}" if hooks else f"in table {table}"
    return f"{what} {where}: the kernel allows it in {allowed} only"
