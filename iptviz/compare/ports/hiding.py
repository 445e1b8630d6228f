"""What a dump may have of a service port and not show: tables that nobody saved, and what stands behind a cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.families import KUBE_PROXY, NODE_PORTS, family_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.dump.model import Dump
    from iptviz.rules.form import Place


class Hiding(NamedTuple):
    """What one side may hide; `dump` is None of the API, which hides nothing, and of a listing of nft.

    `unseen` are tables of iptables that the node may have and nothing shows (`Snapshot.unseen_tables`). In
    nftables mode kube-proxy has no chain there. `hides_parts`: what some rules ask or do is named and not shown.
    """

    dump: Dump | None = None
    unseen: Collection[str] = ()
    hides_parts: bool = False

    def chain(self, table: str, chain: str) -> bool:
        """Whether rules of a chain may be there and not be shown."""
        if self.dump is None:
            return table in self.unseen and not _is_kube_proxys(chain, table)
        found = self.dump.tables.get(table)
        return table in self.unseen if found is None else found.shown.may_lack(chain)

    def rule(self, rule: Place | None) -> bool:
        """Whether a rule that stands on the other side may be there and not be shown."""
        return rule is not None and self.chain(rule.table.name, rule.chain)

    def frontend(self, form: FrontendForm) -> bool:
        """Whether a frontend of the other side may be there and not be shown."""
        return self.rule(form.rule)

    def port(self, port: PortForm) -> bool:
        """Whether a service port of the other side may be there and not be shown, with all its frontends."""
        return all(map(self.frontend, port.frontends))

    def lacks_rules_of(self, other: Hiding) -> bool:
        """Whether the other side has rules in a table that may be there and is not shown."""
        tables = other.dump.tables if other.dump is not None else {}
        return any(name in tables and tables[name].rule_count for name in self.unseen)

    @property
    def health_checks(self) -> bool:
        """Whether rules for health checks may be there and not be shown."""
        return self.chain("filter", NODE_PORTS)


def _is_kube_proxys(chain: str, table: str) -> bool:
    family = family_of(chain, table)
    return family is not None and family.writer == KUBE_PROXY


Sides = tuple[Hiding, Hiding]
"""What the old side may hide, and the new."""

NOTHING_HIDDEN: Sides = (Hiding(), Hiding())
