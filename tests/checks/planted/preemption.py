"""Rules of others: some take services' connections, some keep them from being tracked, some only seem to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.planted import Plant

if TYPE_CHECKING:
    from tests.checks.planted import Base

_HOOK = r"-A PREROUTING .*-j KUBE-SERVICES"


def _all_bits(base: Base) -> str:
    return "32" if base.family == 4 else "128"


def _before_services(base: Base, rule: str, chain: str = "") -> str:
    """Return the dump with a rule above the jump to KUBE-SERVICES, and another at the end of nat, if any."""
    text = base.before(base.line_of(_HOOK), rule)
    return base._replace(text=text).appended("nat", chain) if chain else text


def _foreign(base: Base, place: int) -> str:
    address = f"{base.service(place).cluster_ip}/{_all_bits(base)}"
    rules = (
        f"-A PREROUTING -d {address} -j ACCEPT",
        f"-A PREROUTING -d {address} -p tcp -j REDIRECT --to-ports 15001",
        f"-A PREROUTING ! -i docker0 -d {address} -p tcp -m tcp --dport 80 -j ACCEPT",
    )
    return _before_services(base, rules[place])


def _host_port(base: Base, place: int) -> str:
    pod = "10.244.9.9:80" if base.family == 4 else "[fd00:10:244:9::9]:80"
    port = base.service(place).node_port
    rules = (
        f"-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports {port} -j CNI-DN-0123456789abcdef01234\n"
        f"-A CNI-DN-0123456789abcdef01234 -p tcp -m tcp --dport {port} -j DNAT --to-destination {pod}"
    )
    text = _before_services(base, "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT", rules)
    return _declared(text, "CNI-HOSTPORT-DNAT", "CNI-DN-0123456789abcdef01234")


def _twice(base: Base, place: int) -> str:
    pod = "10.244.9.{}:80" if base.family == 4 else "[fd00:10:244:9::{}]:80"
    port = 8000 + place
    chains = ("CNI-DN-0123456789abcdef01234", "CNI-DN-fedcba9876543210fedcb")
    rules = "\n".join(
        f"-A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports {port} -j {chain}\n"
        f"-A {chain} -p tcp -m tcp --dport {port} -j DNAT --to-destination {pod.format(number)}"
        for number, chain in enumerate(chains, 2)
    )
    after = base.after(base.line_of(_HOOK), "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT")
    return _declared(base._replace(text=after).appended("nat", rules), "CNI-HOSTPORT-DNAT", *chains)


def _declared(text: str, *chains: str) -> str:
    lines = "".join(f":{chain} - [0:0]\n" for chain in chains)
    return text.replace(":KUBE-MARK-MASQ - [0:0]\n", f"{lines}:KUBE-MARK-MASQ - [0:0]\n", 1)


def _untracked(base: Base, place: int) -> str:
    rule = f"-d {base.service(place).cluster_ip}/{_all_bits(base)} -p tcp -m tcp --dport 80 -j CT --notrack"
    raw = "\n".join(
        (
            "*raw",
            ":PREROUTING ACCEPT [0:0]",
            ":OUTPUT ACCEPT [0:0]",
            f"-A PREROUTING {rule}",
            f"-A OUTPUT {rule}",
        )
    )
    return base.text.replace("\n*nat\n", f"\n{raw}\nCOMMIT\n*nat\n", 1)


def _marked_twice(base: Base, _place: int) -> str:
    return base.instead(base.line_of("-A KUBE-POSTROUTING -j MARK"))


def _guessed(base: Base, _place: int) -> str:
    line = base.line_of("-j MASQUERADE --random-fully")
    return base.instead(line, line.replace(" --random-fully", ""))


PLANTS = {
    "foreign-dnat-first": Plant(_foreign),
    "hostport-preempts": Plant(_host_port),
    "hostport-duplicate": Plant(_twice),
    "untracked-service": Plant(_untracked),
    "double-masquerade": Plant(_marked_twice),
    "no-random-fully": Plant(_guessed),
}
