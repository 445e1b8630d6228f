"""The whole of kube-proxy's rules: flushed, never written, of two syncs or modes, or beside what others left."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from tests.checks.planted import Base

_WARNING = "# Warning: ip{}tables-legacy tables present, use ip{}tables-legacy-save to see them"
_OLD_CHAINS = "KUBE-PORTALS-CONTAINER", "KUBE-HOSTPORTS", "KUBE-NODE-PORT"
_FLANNEL, _CALICO = "FLANNEL-POSTRTG", "cali-nat-outgoing"


def _without(text: str, *patterns: str) -> str:
    """Return a dump without the lines that begin so, whatever their counters are."""
    return re.sub(rf"^(?:\[\d+:\d+\] )?(?:{'|'.join(patterns)}).*\n", "", text, flags=re.MULTILINE)


def _in_nat(base: Base, *patterns: str) -> str:
    """Return a dump whose nat table lacks the lines that begin so."""
    head, _, rest = base.text.partition("\n*nat\n")
    own, _, tail = rest.partition("\nCOMMIT\n")
    return f"{head}\n*nat\n{_without(own + chr(10), *patterns)}COMMIT\n{tail}"


def _flushed(base: Base, place: int) -> str:
    """Return a dump without all of nat, without its rules, or without those that lead to services."""
    return _in_nat(base, *((":KUBE-", "-A "), ("-A ",), ("-A KUBE-(?:SERVICES|NODEPORTS) ",))[place])


def _removed(base: Base, place: int) -> str:
    """Return a flushed dump with the chains of a program that flushes."""
    chain = ("INPUT_ZONES", "FORWARD_ZONES", "shorewall")[place]
    flushed = _in_nat(base, ":KUBE-", "-A ")
    return flushed.replace("\n*filter\n", f"\n*filter\n:{chain} - [0:0]\n", 1)


def _never_written(base: Base, _place: int) -> str:
    """Return a dump with the chains of which kube-proxy makes sure first, and without what it restores."""
    text = _in_nat(base, ":KUBE-(?:SVC|SEP|EXT|SVL|FW)-", "-A KUBE-")
    return _without(text, "-A KUBE-FORWARD")


def _unmarked(base: Base, _place: int) -> str:
    return _in_nat(base, ":KUBE-MARK-MASQ ", "-A KUBE-MARK-MASQ ")


def _unhooked(base: Base, place: int) -> str:
    hook = ("PREROUTING", "OUTPUT", "(?:PREROUTING|OUTPUT)")[place]
    return _in_nat(base, f"-A {hook} ")


def _refused(base: Base, place: int, *, node_port: bool) -> str:
    """Return a dump in which filter refuses a frontend of a service as without endpoints."""
    service, bits = base.service(place), "32" if base.family == 4 else "128"
    name = f' -m comment --comment "{service.namespace}/{service.name}:{service.port_name} has no endpoints"'
    if "--comment" not in base.text:
        name = ""
    chain, where, port = (
        ("KUBE-EXTERNAL-SERVICES", " -m addrtype --dst-type LOCAL", service.node_port)
        if node_port
        else ("KUBE-SERVICES", f" -d {service.cluster_ip}/{bits}", 80)
    )
    how = "icmp-port-unreachable" if base.family == 4 else "icmp6-port-unreachable"
    rule = f"-A {chain}{where} -p tcp{name} -m tcp --dport {port} -j REJECT --reject-with {how}"
    return base.appended("filter", rule)


def _half_refused(base: Base, place: int) -> str:
    """Return a dump whose filter table refuses a node port, which its nat table has no rule of."""
    text = _refused(base, place, node_port=True)
    return _without(text, rf"-A KUBE-NODEPORTS .*--dport {base.service(place).node_port} ")


def _two_modes(base: Base, place: int) -> str:
    accept = "-A KUBE-SERVICES -m set --match-set KUBE-{}CLUSTER-IP dst,dst -j ACCEPT"
    rule = accept.format("" if base.family == 4 else "6-")
    line = base.line_of(r"-A KUBE-SERVICES .*-j KUBE-SVC-", place)
    return base.before(line, rule) if place else base.after(line, rule)


def _left(base: Base, place: int) -> str:
    """Return a dump with an old chain: the first is asked, nothing leads to the others."""
    chain, text = _OLD_CHAINS[place], base.text
    if not place:
        rule = f"-A {chain} -p tcp -m tcp --dport 7 -j REDIRECT --to-ports 33245"
        text = base.appended("nat", f"-A PREROUTING -j {chain}\n{rule}")
    return _declared(text, chain)


def _old_local(base: Base, place: int) -> str:
    chain, endpoint = "KUBE-XLB-0123456789ABCDEF", base.line_of("^:KUBE-SEP-", place)
    return _declared(base.appended("nat", f"-A {chain} -j {endpoint[1:].split()[0]}"), chain)


def _two_networks(base: Base, place: int) -> str:
    """Return a dump in which flannel and Calico masquerade, flannel in a chain of its own or in POSTROUTING."""
    pods = "10.244.0.0/16" if base.family == 4 else "fd00:10:244::/48"
    masquerade = f'-s {pods} ! -d {pods} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully'
    flannel = (
        f"-A POSTROUTING {masquerade}"
        if place == 1
        else f"-A POSTROUTING -j {_FLANNEL}\n-A {_FLANNEL} {masquerade}"
    )
    sets = "-m set --match-set cali40masq-ipam-pools src -m set ! --match-set cali40all-ipam-pools dst"
    calico = f"-A POSTROUTING -j {_CALICO}\n-A {_CALICO} {sets} -j MASQUERADE --random-fully"
    rules = (flannel, calico) if place else (calico, flannel)
    return _declared(base.appended("nat", "\n".join(rules)), _CALICO, *(() if place == 1 else (_FLANNEL,)))


def _declared(text: str, *chains: str) -> str:
    lines = "".join(f":{chain} - [0:0]\n" for chain in chains)
    return text.replace(":KUBE-MARK-MASQ - [0:0]\n", f"{lines}:KUBE-MARK-MASQ - [0:0]\n", 1)


def _unfiltered(base: Base, place: int) -> str:
    """Return a dump whose filter is empty, has rules of others, or what kubelet has written anew."""
    head, _, rest = base.text.partition("\n*filter\n")
    own, _, tail = rest.partition("\nCOMMIT\n")
    lines = [line for line in own.splitlines() if "KUBE-" not in line]
    lines += (
        [], ["-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"], ["-A OUTPUT -j KUBE-FIREWALL"],
    )[place]  # fmt: skip
    if place == 2:
        lines.insert(3, ":KUBE-FIREWALL - [0:0]")
    return head + "\n*filter\n" + "\n".join(lines) + "\nCOMMIT\n" + tail


def _other_backend(base: Base, place: int) -> str:
    """Return a dump of iptables-nft with the warning on top, between two tables, or at the end."""
    six = "" if base.family == 4 else "6"
    text = re.sub(r"(-save v[\d.]+)(?! \(nf_tables\))(?=[ \n])", r"\1 (nf_tables)", base.text)
    warning = _WARNING.format(six, six)
    if place == 1:
        return text.replace("COMMIT\n", f"COMMIT\n{warning}\n", 1)
    return f"{text}{warning}\n" if place else f"{warning}\n{text}"


PLANTS = {
    "nat-flushed": Plant(_flushed),
    "filter-flushed": Plant(_unfiltered),
    "chains-removed": Plant(_removed),
    "skeleton-only": Plant(_never_written),
    "mark-chain-missing": Plant(_unmarked),
    "hook-without-services": Plant(_unhooked),
    "reject-and-route": Plant(_half_refused, beside=frozenset({"no-endpoints"}), nameless=False),
    "mixed-sync": Plant(lambda base, place: _refused(base, place, node_port=place == 1)),
    "both-modes": Plant(_two_modes),
    "proxy-leftover": Plant(_left),
    "xlb-leftover": Plant(_old_local),
    "stale-cni": Plant(_two_networks),
    "dual-backend": Plant(_other_backend),
}
