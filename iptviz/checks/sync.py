"""Kube-proxy's rules as a whole: whether they were ever written, and whether they are all still there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import Evidence, diagnosis, found
from iptviz.checks.wording import WHOSE, are
from iptviz.intake.remark import remark
from iptviz.kube.families import MARK_DROP, PROXY_CANARY, SERVICES
from iptviz.kube.mode import mode_of
from iptviz.kube.preempt import HOOKS
from iptviz.kube.synced import (
    flusher_of,
    has_services,
    is_emptied,
    jumps_to_missing_marks,
    lacks_services,
    lost_filter,
    lost_hooks,
    needing_drop_mark,
    nftables_mode,
    was_written,
)
from iptviz.node.snapshot import as_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.kube.mode import Mode
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.fares import Reached


def check(node: Examined) -> Iterator[Finding]:
    """Yield what is missing of kube-proxy's rules."""
    dump, nat = node.dump, node.dump.tables.get("nat")
    if nat is None:
        return
    if not _kept_elsewhere(dump, node.node):
        yield from _lost_rules(node, nat)
        if lost_filter(dump):
            at = dump.tables["mangle"].chains[PROXY_CANARY].line
            yield found(filter_flushed, [Evidence(at, "")], at=at)
    if dump.complete:
        for jumps in jumps_to_missing_marks(nat):
            yield found(mark_chain_missing, jumps.rules, line=jumps.rules[0].line, chain=jumps.chain)


def _lost_rules(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield that all rules are gone or were never written, or that nothing leads to them."""
    dump, mode = node.dump, mode_of(node.dump)
    if mode.name == "flushed":
        yield _taken(dump, node.node, mode)
    elif mode.name != "iptables":
        return
    elif lacks_services(nat):
        if not was_written(nat):
            yield _never_written(dump, node.node, nat)
    elif is_emptied(dump):
        yield _emptied(nat)
    else:
        yield from _hooks(node, nat)


def missing_ground(dump: Dump, node: Snapshot | None = None) -> Iterator[Item]:
    """Yield what every service would need and this dump lacks; `node` is the dump's, if more is known."""
    nat = dump.tables.get("nat")
    if nat is None:
        yield remark("nat-absent", tables=tuple(dump.tables))
        return
    mode = mode_of(dump)
    if mode.name == "flushed":
        yield _taken(dump, node or as_snapshot(dump), mode)
    elif mode.name != "iptables":
        yield remark(_SERVICES_IN[mode.name], at=mode.line)
    elif not nat.has_chain(SERVICES):
        yield remark("services-unshown")
    elif lacks_services(nat):
        yield remark("no-service-written") if was_written(nat) else _skeleton(dump, nat)
    elif is_emptied(dump):
        yield _emptied(nat)


def emptiness(dump: Dump, node: Snapshot | None = None) -> list[Item]:
    """Return why a dump has no services at all."""
    return list(missing_ground(dump, node)) or [remark("nothing-leads-to-services")]


_SERVICES_IN = {
    "ipvs": "services-in-ipvs",
    "userspace": "services-in-userspace",
    "elsewhere": "services-elsewhere",
    "none": "services-nowhere",
    "cut": "services-cut",
}
"""What is said of a mode in which services are not in iptables."""


def hooks_not_leading(dump: Dump, ports: Sequence[Sequence[Reached]] = ()) -> Iterator[Finding]:
    """Yield that from some hook of nat nothing leads to KUBE-SERVICES; how clients fare at `ports` may be known.

    What is missing stands in no line: the evidence is where the chain is declared, and no rule is accused.
    """
    if lost := lost_hooks(dump):
        chains = dump.tables["nat"].chains
        evidence = [Evidence(chains[hook].line, "") for hook in lost if hook in chains]
        suffering = sum(any(_come_to_nothing(one, lost) for one in port) for port in ports)
        yield found(hook_without_services, evidence, complete=dump.complete, lost=tuple(lost),
            suffering=suffering, total=len(ports),
        )  # fmt: skip


def _come_to_nothing(reached: Reached, lost: Sequence[str]) -> bool:
    """Whether clients whose connections come by some hooks get no endpoint, since nothing rewrites these."""
    return any(
        HOOKS[client == "node"] in lost and any(one.cause.why == "not DNATed" for one in fare.failures)
        for fare in reached.fares
        for client in fare.clients
    )


def _kept_elsewhere(dump: Dump, node: Snapshot) -> bool:
    """Whether the node's services of the dump's family are in the other backend, or in an nft table."""
    others = (other for other in node.dumps if other is not dump and other.family == dump.family)
    return any(map(has_services, others)) or nftables_mode(dump, node.tables_beyond(dump.family))


def _taken(dump: Dump, node: Snapshot, mode: Mode) -> Finding:
    """Return that the rules are gone, and who takes such rules away, where that is known."""
    left = [Evidence(mode.line or 0, "")]
    cleaned = dump.tables["nat"].has_chain(PROXY_CANARY)
    flusher = None if cleaned else flusher_of(dump, node.tables_beyond(dump.family))
    if flusher is None:
        return found(nat_flushed, left, state="cleaned" if cleaned else "flushed", complete=dump.complete,
            chain=mode.chain, table=mode.table, at=mode.line, cleaned=cleaned,
        )  # fmt: skip
    return found(chains_removed, left, complete=dump.complete, chain=mode.chain, table=mode.table, at=mode.line,
        program=flusher.program, sign=flusher.sign,
    )  # fmt: skip


def _emptied(nat: Table) -> Finding:
    """Return that kube-proxy's chains are there, and their rules are gone."""
    line = nat.chains[SERVICES].line
    return found(nat_flushed, [Evidence(line, "")], state="flushed", chain=SERVICES, table=nat.name, at=line,
        cleaned=False,
    )  # fmt: skip


def _never_written(dump: Dump, node: Snapshot, nat: Table) -> Finding:
    """Return that kube-proxy wrote no rules, and why, where that is known."""
    other = needing_drop_mark(dump, node.dumps) if dump.complete else None
    if other is None:
        return _skeleton(dump, nat)
    made = [Evidence(nat.chains[SERVICES].line, "")]
    return found(mark_drop_missing, made, complete=dump.complete, of_family=dump.family, number=other.number)


def _skeleton(dump: Dump, nat: Table) -> Finding:
    return found(skeleton_only, [Evidence(nat.chains[SERVICES].line, "")], complete=dump.complete)


def _hooks(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield the hooks from which nothing leads to services, where nat has some and no other mode took over."""
    dispatched = any(answer.frontend.rule.table is nat for port in node.ports for answer in port.answers)
    if dispatched:
        yield from hooks_not_leading(node.dump, node.reached)


# --- the words -------------------------------------------------------------------------------------------------


def _only_tables(*, tables: tuple[str, ...]) -> str:
    only = ", ".join(tables)
    return f"The dump has no nat table, only {only}: services are in nat (iptables-save -t nat)."


REMARKS: dict[str, str | Callable[..., str]] = {
    "no-service-written": (
        "kube-proxy has written its chains, and no service among them: none has an address of this family, or it "
        "knows of none."
    ),
    "services-unshown": f"This dump does not show {SERVICES}: what leads to its chains is not known.",
    "nothing-leads-to-services": "No rule of this dump leads to a service.",
    "nat-absent": _only_tables,
}


@diagnosis({"flushed": "critical", "cleaned": "info"}, reference="k/k#129128, #133767", absence=True)
def nat_flushed(*, chain: str, table: str, at: int, cleaned: bool) -> str:
    """kube-proxy's chains are gone from nat, where services are, but its other chains are still there.

    Or its chains are still there, and KUBE-SERVICES, which leads to all others, has lost its rules. Where
    KUBE-SERVICES is gone and KUBE-PROXY-CANARY is still in nat, kube-proxy --cleanup or a change of its mode
    took the rules: a flush of all chains deletes that, too.

    Why: No service works on this node through these rules. firewalld, shorewall and ferm take kube-proxy's rules
    away when they start or reload; kube-proxy checks only its chain in mangle, and does not notice that nat is
    empty.

    Do: Restart kube-proxy, which writes its rules anew. Keep the program that flushed nat from doing it
    again. Where kube-proxy runs in nftables or IPVS mode now, a reboot removes what it left.
    """
    if (table, chain) == ("nat", SERVICES):
        return f"{SERVICES} (nat, line {at}) has no rule, and chains of services are there: nat was flushed."
    if cleaned:
        return f"{_lost(chain, table, at)}: kube-proxy --cleanup or a change of its mode leaves that."
    return f"{_lost(chain, table, at)}: nat was flushed, or kube-proxy has changed its mode since."


@diagnosis("high", absence=True)
def filter_flushed(*, at: int) -> str:
    """kube-proxy's chains are gone from filter, and those in nat and its canary in mangle are still there.

    Why: What kube-proxy has in filter is missing: connections to services without endpoints are not refused but
    time out, loadBalancerSourceRanges do not apply, and KUBE-FORWARD accepts nothing where FORWARD drops.
    kube-proxy checks only its chain in mangle, and does not notice that filter is empty.

    Do: Restart kube-proxy, which writes its rules anew, and keep the program that flushed or restored filter
    from doing it again.
    """
    ran = f"{PROXY_CANARY} (mangle, line {at}) shows that it writes there, too"
    return f"filter has no chain of kube-proxy, which nat has, and {ran}: filter was flushed."


@diagnosis("critical", reference="k/k#93091, #104388", absence=True)
def chains_removed(*, chain: str, table: str, at: int, program: str, sign: str) -> str:
    """kube-proxy's chains are gone from nat, and a firewall that removes such chains runs on this node.

    firewalld deletes them when it starts, reloads or stops; shorewall when it starts.

    Why: No service works on this node through these rules. kube-proxy looks for its chain in mangle only: while
    that is there, it does not notice that the chains in nat are gone.

    Do: Restart kube-proxy, which writes its rules anew, after each start and reload of the firewall. Better
    disable the firewall on this node, and restart kube-proxy afterwards: stopping takes the rules away, too.
    """
    return (
        f"{_lost(chain, table, at)}: {program} also runs or ran on this node ({sign}), and removes kube-proxy's "
        "rules when it starts."
    )


def _lost(chain: str, table: str, at: int) -> str:
    left = f"{chain} ({table}, line {at}) shows that kube-proxy ran on this node"
    return f"The nat table has no {SERVICES} chain, but {left}"


@diagnosis("critical", reference="kubernetes/kubeadm#784, k/k#35641", absence=True)
def skeleton_only() -> str:
    """kube-proxy's chain KUBE-SERVICES is declared, but no chain of any service (KUBE-SVC-...) is there.

    Why: kube-proxy made its chains and then wrote no service: it reached no API server, or every restore
    fails. No service works on this node.

    Do: Read kube-proxy's log on this node for errors of iptables-restore or of the API server.
    """
    return "KUBE-SERVICES is there but no KUBE-SVC- chain: kube-proxy has not synced its services."


_SAVES = {"ipv4": "iptables", "ipv6": "ip6tables"}


@diagnosis("critical", reference="k/k#96468", absence=True)
def mark_drop_missing(*, of_family: str, number: int) -> str:
    """kube-proxy has written no service of one family, whose nat table lacks KUBE-MARK-DROP.

    Up to 1.24 kube-proxy's rules jump to that chain, which kubelet makes; the node's other family has it.

    Why: The kernel refuses a jump to a chain that is not there, and iptables-restore then writes nothing of the
    whole table: no service of this family works on this node.

    Do: Look for KUBE-MARK-DROP in kube-proxy's log. Make the chain by hand (ip6tables -t nat -N KUBE-MARK-DROP,
    or iptables for IPv4), and update Kubernetes: later releases make it themselves, or do without.
    """
    return (
        f"{SERVICES} is there but no KUBE-SVC- chain: kube-proxy has not synced the services of {of_family}. Its "
        f"rules up to 1.24 need {MARK_DROP}, which dump {number} has but the {_SAVES[of_family]} output has not."
    )


@diagnosis("critical", reference="k/k#80462, #92275", absence=True, explains=("no-masquerade",))
def mark_chain_missing(*, chain: str) -> str:
    """Rules of nat jump to KUBE-MARK-MASQ or KUBE-MARK-DROP, which is not there.

    kube-proxy's rules mark connections by these chains: to be masqueraded, or to be dropped.

    Why: The kernel refuses a jump to a chain that is not there, so iptables-restore writes nothing of this table,
    and a kube-proxy that tries it fails again and again: its rules stay as they were.

    Do: If the dump is what a node runs, take a fresh one: no kernel runs these rules. If it is what kube-proxy
    tries to write, see that kubelet makes the chain (KUBE-MARK-DROP up to 1.26), or restart both.
    """
    return f"jumps to {chain}, which nat does not have: iptables-restore refuses the whole table"


@diagnosis("high", reference="k/k#129128, #133767", absence=True)
def hook_without_services(*, lost: tuple[str, ...], suffering: int, total: int) -> str:
    """A built-in chain of nat has no jump to KUBE-SERVICES, although that chain is there.

    It is PREROUTING, for arriving packets, or OUTPUT, for locally generated ones.

    Why: kube-proxy writes both jumps. Without one, connections on this path reach no service;
    another program flushed the built-in chain, or a firewall was reloaded.

    Do: Restart kube-proxy, which writes the jumps again, and find out what took them away.
    """
    whose = ", ".join(WHOSE[hook] for hook in lost)
    missing = f"nat {' and '.join(lost)} {are(lost, 'has', 'have')} no jump to {SERVICES}"
    many = f" ({suffering:,} of {total:,} service ports)" if suffering else ""
    if not total:
        return f"{missing}: connections of {whose} reach no service"
    works = "no service works" if suffering == total else "services do not work"
    return f"{missing}: {works} for {whose}{many}"
