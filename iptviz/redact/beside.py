"""What is supplied beside a dump, in its pseudonyms: addresses, routes, sets, settings, conditions and more."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.dump.model import Dump
from iptviz.engine.assume import read_assumption
from iptviz.engine.condition import Assumption
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.errors import PacketError, quoted
from iptviz.intake.text import to_bytes
from iptviz.redact.ipsets import Sets
from iptviz.redact.rules import RuleRedactor
from iptviz.supplied.conntrack import read_connections
from iptviz.supplied.ipvs import read_ipvs
from iptviz.supplied.pods import read_pods
from iptviz.supplied.sysctls import NOTHING_OF_USE, read_sysctls
from iptviz.xtables.address import join_endpoint, parse_network, split_endpoint
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.engine.condition import Condition
    from iptviz.redact.pseudonyms import Pseudonyms
    from iptviz.supplied.conntrack import Flow, TrackedConnection
    from iptviz.supplied.pods import Pod
    from iptviz.supplied.service_names import Candidate
    from iptviz.xtables.address import Network

_HOST = re.compile(r"[0-9A-Fa-f:.]+")
_DEVICE = re.compile(r'(\b(?:dev|iif|oif) |"(?:dev|iif|oif)": ?")([^\s"]+)')
_ITS_NAME = re.compile(
    r'(^\d+: |"ifname": ?"|^(?=[^\s:]+[ \t]+(?:UP|DOWN|UNKNOWN|LOWERLAYERDOWN|NOTPRESENT|DORMANT|TESTING)\b))'
    r"([^\s:@\"]+)",
    re.MULTILINE,
)
_HEADING = re.compile(r"^(?:==> )?(?:\S*/)?([^/\s=]+)(?: <==|:)$", re.MULTILINE)
_DEFAULT_LIST = "DEFAULT"
_RULE = "-A INPUT "
_RECENT = "-m recent --rcheck"
_DIRECTIONS = re.compile(r"(?:(?:src|dst)(?:,(?:src|dst))*(?: --return-nomatch)?)?")
_THIS_NODE = re.compile(r"(?:this node(?::[\d-]+)?)?")
_OF_ALL = re.compile(
    r"net\.(?:ipv4\.ip_forward|bridge\.bridge-nf-call-ip6?tables|netfilter\.nf_conntrack_tcp_be_liberal)(?:=1)?"
)
_OF_AN_INTERFACE = re.compile(
    r"(?P<before>net\.ipv[46]\.conf\.)(?P<interface>[^\s=]+)"
    r"(?P<key>\.(?:route_localnet|accept_local|rp_filter|forwarding|force_forwarding)(?:=1)?)"
)
_A_LINE = re.compile(r"line \d+")
_FORWARDING = {"": "-m", "masq": "-m", "route": "-g", "tunnel": "-i", "local": "-g"}
_NO_NAMES = {"all", "default", "*", "lo"}
_PUNCTUATION = re.compile(r"[-\[\]:,/\d]*")


class Beside:
    """Puts texts into the pseudonyms of one dump."""

    def __init__(self, redactor: Pseudonyms) -> None:
        self._redactor = redactor
        self._names = redactor.names

    def ipvs(self, text: str) -> str:
        """Return what ipvsadm prints as `ipvsadm -Sn` would."""
        lines = []
        for server in read_ipvs(text, ""):
            flag = {"udp": "-u", "sctp": "--sctp-service", "fwmark": "-f"}.get(server.protocol, "-t")
            at = server.at if server.protocol == "fwmark" else self._end(server.at)
            kept = f" -p {server.persistent}" if server.persistent else ""
            lines.append(f"-A {flag} {at} -s {server.scheduler or 'unknown'}{kept}\n")
            lines += [
                f"-a {flag} {at} -r {self._end(one.end)} {_FORWARDING[one.forward]} -w {one.weight}\n"
                for one in server.servers
            ]
        return "".join(lines)

    def pods(self, text: str) -> str:
        """Return a list of pods as the API has it, of all that answers make use of."""
        import json

        pods = read_pods(text, "")
        return json.dumps({"apiVersion": "v1", "kind": "PodList", "items": list(map(self._pod, pods))})

    def _pod(self, pod: Pod) -> dict[str, object]:
        namespace = {"namespace": self._names.namespace(pod.namespace)} if pod.namespace else {}
        ports = [{"containerPort": port} for port in sorted(pod.ports or ())]
        return {
            "kind": "Pod",
            "metadata": {"name": self._names.pod(pod.name), **namespace},
            "spec": {"hostNetwork": pod.host_network, "containers": [{"ports": ports}]},
            "status": {"podIPs": [{"ip": self._redactor.addresses(address)} for address in pod.addresses]},
        }

    def _end(self, text: str) -> str:
        address, port = split_endpoint(text)
        return self._names.endpoint(text) if parse_network(address) else join_endpoint("name", port)

    def connections(self, text: str) -> str:
        """Return tracked connections as `conntrack -L` prints them, without what may be a name."""
        read = read_connections(text, "")
        lines = "".join(f"{self._connection(one)} use=1\n" for one in read.connections)
        return lines if read.whole else f"{lines}cut"

    def _connection(self, one: TrackedConnection) -> str:
        state = f"{one.state} " if one.state else ""
        flags = "".join(
            f" [{flag}]"
            for flag, there in (("UNREPLIED", not one.replied), ("ASSURED", one.assured))
            if there
        )
        numbers = "".join(
            f" {name}={value}"
            for name, value in (("mark", one.mark), ("zone", one.zone))
            if value is not None
        )
        ways = f"{self._flow(one.original)} {self._flow(one.reply)}"
        return f"unknown {one.protocol} 1 {state}{ways}{flags}{numbers}"

    def _flow(self, flow: Flow) -> str:
        ends = f"src={self._host(flow.source)} dst={self._host(flow.destination)}"
        kind, code = flow.icmp_type or (None, None)
        numbers = {"sport": flow.source_port, "dport": flow.destination_port, "type": kind, "code": code}
        return ends + "".join(f" {name}={value}" for name, value in numbers.items() if value is not None)

    def _host(self, address: Network) -> str:
        return self._redactor.addresses(show_host(address))

    def addresses(self, text: str) -> str:
        """Return what `ip address` prints, with or without -j or -br.

        `10.0.0.5/24` is an address there, not its network.
        """
        hidden = _HOST.sub(lambda found: self._redactor.secrets.addresses.of(found[0]), text)
        return _ITS_NAME.sub(lambda found: found[1] + self._names.interface(found[2]), hidden)

    def routes(self, text: str) -> str:
        """Return what `ip route` prints, with or without -j."""
        renamed = _DEVICE.sub(lambda found: found[1] + self._names.interface(found[2]), text)
        return self._redactor.addresses(renamed)

    def recent(self, text: str) -> str:
        """Return one file of /proc/net/xt_recent, or several below headings."""
        entries = self._redactor.addresses(text)
        if not _HEADING.search(entries):
            both = _DEFAULT_LIST, self._names.list_name(_DEFAULT_LIST)
            return "\n".join(f"==> {name} <==\n{entries}" for name in both)
        return _HEADING.sub(lambda found: f"==> {self._names.list_name(found[1])} <==", entries)

    def ipset(self, text: str) -> str:
        """Return what `ipset save` or `ipset list` prints."""
        return Sets(self._redactor).text(text)

    def sysctls(self, text: str) -> str:
        """Return those of the kernel's settings that answers make use of, as `sysctl -a` prints them."""
        given = read_sysctls(text)
        settings = ((self._setting(name), value) for name, value in given.items())
        kept = "".join(f"{name} = {value}\n" for name, value in settings if name and value.isdecimal())
        return kept or (NOTHING_OF_USE if given else "")

    def listing(self, text: str) -> str:
        """Return what nft prints of its tables."""
        return self._redactor.listing(text)

    def table(self, name: str) -> str:
        """Return the name of a table."""
        return self._names.table(name)

    def services(self, candidates: Iterable[Candidate]) -> str:
        """Return a list of services, one in a line."""
        return "".join(f"{self._service(candidate)}\n" for candidate in candidates)

    def _service(self, candidate: Candidate) -> str:
        names = self._names
        port = "" if candidate.port_name is None else f":{names.port_name(candidate.port_name)}"
        return f"{names.namespace(candidate.namespace)}/{names.object(candidate.name)}{port}"

    def assumption(self, text: str) -> str:
        """Return a condition that somebody states about the original, as the redacted dump knows it.

        Raises:
            PacketError: no condition is worded so, or it holds what may be a name without a pseudonym.
        """
        condition, holds = read_assumption(text)
        changed = self._value(condition), self._details(condition), self._rewritten(condition)
        if None in changed:
            raise PacketError(
                f"cannot redact {quoted(text)}: it may name something",
                hint="drop --redact, or use the names of the redacted dump",
            )
        value, details, rewritten = (part or "" for part in changed)
        return Assumption(condition._replace(value=value, details=details, rewritten=rewritten), holds).text

    # Each of these returns None for what no pseudonym stands for, so that nothing passes by being forgotten.

    def _value(self, condition: Condition) -> str | None:
        kind = CONDITION_KINDS[condition.kind]
        if re.fullmatch(kind.plain, condition.value):
            return condition.value
        change: Callable[[str], str | None] | None = {
            "address": self._only_addresses,
            "end": self._ends,
            "interface": self._names.interface,
            "list": self._names.list_name,
            "set": self._names.set,
            "service": self._service_ports,
            "setting": self._setting,
            "options": self._options,
        }.get(kind.names)
        return change(condition.value) if change else None

    def _service_ports(self, text: str) -> str | None:
        """Return service ports, or chains or lines that stand in place of their names."""
        return ", ".join(map(self._service_port, text.split(", ")))

    def _service_port(self, text: str) -> str:
        if _A_LINE.fullmatch(text):
            return text
        if "/" not in text:
            return self._names.chain(text)
        namespace, _, rest = text.partition("/")
        name, colon, port = rest.partition(":")
        port = f":{self._names.port_name(port)}" if colon else ""
        return f"{self._names.namespace(namespace)}/{self._names.object(name)}{port}"

    def _setting(self, text: str) -> str | None:
        """Return a setting, or what is asked of one, that is known to name nothing but an interface."""
        found = _OF_AN_INTERFACE.fullmatch(text)
        if found is None:
            return text if _OF_ALL.fullmatch(text) else None
        name = found["interface"]
        return f"{found['before']}{name if name in _NO_NAMES else self._names.interface(name)}{found['key']}"

    def _details(self, condition: Condition) -> str | None:
        details = condition.details
        if condition.kind == "recent" and details:
            options = self._options(f"{_RECENT} {details}")
            return options and options.removeprefix(f"{_RECENT} ")
        return details if _DIRECTIONS.fullmatch(details) else None

    def _rewritten(self, condition: Condition) -> str | None:
        text = condition.rewritten
        return text if _THIS_NODE.fullmatch(text) else self._only_addresses(text)

    def _only_addresses(self, text: str) -> str | None:
        rest = self._redactor.secrets.addresses.left_of(text)
        return self._redactor.addresses(text) if rest != text and _PUNCTUATION.fullmatch(rest) else None

    def _ends(self, text: str) -> str | None:
        """Return addresses with ports, and words for what has none."""
        plain = CONDITION_KINDS["dnat"].plain
        ends = [one if re.fullmatch(plain, one) else self._only_addresses(one) for one in text.split(",")]
        return None if None in ends else ",".join(filter(None, ends))

    def _options(self, text: str) -> str | None:
        """Return options of a rule as they stand in the redacted dump."""
        rules = list(Dump(to_bytes(f"*filter\n{_RULE}{text}\nCOMMIT\n")).tables["filter"].rules())
        as_said = text.startswith("-") and [rule.text for rule in rules] == [_RULE + text]
        if not as_said or rules[0].parts.problem:
            return None
        changed = RuleRedactor(self._names, self._redactor.secrets).text(rules[0])
        return changed.removeprefix(_RULE)
