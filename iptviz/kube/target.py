"""TARGET: what a user types to say which service, endpoint or chain is meant."""

from __future__ import annotations

import ipaddress
import re

from iptviz.errors import TargetError, quoted
from iptviz.kube.spellings import KINDS, in_own_words, without_password
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, split_endpoint

_PROTOCOL = re.compile(r"(?P<rest>.+[\dxX*]|.*\])/(?P<protocol>tcp|udp|sctp)")
_NODE_PORT = re.compile(r":?(?P<port>[0-9]{1,9})")
_WRITTEN = re.compile(
    r"(?P<address>(?=[0-9.]*(?:[xX*]|\.\.))[0-9xX*]{1,4}(?:\.[0-9xX*]{0,4}){2,4})(?::(?P<port>[0-9]{1,9}))?"
)
"""An address with a part that is left out, or made unknown."""

_CHAIN = re.compile(r"(?=[a-z0-9.+-]*+[A-Z_])[A-Za-z0-9_][A-Za-z0-9_.+-]{1,63}")
"""A name that no service can have; a chain may be called as a service, too."""

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"(?:(?P<namespace>{_LABEL})/)?(?P<name>{_LABEL})(?P<colon>:(?P<port>{_LABEL})?)?")

FORMS = (
    "use an address (10.97.13.198, 10.97.13.198:79, [fd00::1]:443), a service (default/web, "
    "default/web:http, web.default.svc:80), a node port (:32123) or a chain (KUBE-SVC-...)"
)


class AddressTarget(NamedTuple):
    """An address, a service's or an endpoint's, perhaps with port and protocol."""

    address: str
    port: int | None
    protocol: str | None

    @property
    def version(self) -> int:
        """4 or 6."""
        return ipaddress.ip_address(self.address).version

    @property
    def text(self) -> str:
        """The target in its usual spelling."""
        return join_endpoint(self.address, self.port) + (f"/{self.protocol}" if self.protocol else "")


class WrittenTarget(NamedTuple):
    """What stands for an address in a dump and is none, as somebody left it: `x.x.x.x`, `10.96..10`."""

    address: str
    port: int | None
    protocol: str | None


class NodePortTarget(NamedTuple):
    """A node port, perhaps with protocol."""

    port: int
    protocol: str | None


class NameTarget(NamedTuple):
    """A service by name: in any namespace where `namespace` is None, all ports where `port_name` is None.

    A port's name has a letter in it: a number is that of the port, not its name.
    """

    namespace: str | None
    name: str
    port_name: str | None
    protocol: str | None = None

    @property
    def port(self) -> int | None:
        """The number of the port, where that is given in place of its name."""
        return int(self.port_name) if self.port_name and self.port_name.isdecimal() else None

    @property
    def text(self) -> str:
        """The name as typed."""
        port = "" if self.port_name is None else f":{self.port_name}"
        return (f"{self.namespace}/" if self.namespace else "") + self.name + port


class ChainTarget(NamedTuple):
    """A chain of the nat table."""

    chain: str


ParsedTarget = AddressTarget | WrittenTarget | NodePortTarget | NameTarget | ChainTarget


def parse_target(text: str) -> ParsedTarget:
    """Read TARGET in any of its forms.

    Raises:
        TargetError: it has none of them.
    """
    typed, told = in_own_words(text.strip())
    found = _PROTOCOL.fullmatch(typed)
    rest, protocol = (found["rest"], found["protocol"]) if found else (typed, told)
    if found := _NODE_PORT.fullmatch(rest):
        return NodePortTarget(_checked_port(int(found["port"]), text), protocol)
    if address := _parse_address(rest, protocol, text):
        return address
    if found := _WRITTEN.fullmatch(rest):
        port = int(found["port"]) if found["port"] else None
        return WrittenTarget(found["address"], port and _checked_port(port, text), protocol)
    if _CHAIN.fullmatch(typed):
        return ChainTarget(typed)
    if (found := _NAME.fullmatch(typed)) and not typed.isdecimal():
        return _named(found, told, text)
    raise TargetError(f"invalid TARGET {quoted(without_password(text))}", hint=FORMS)


def _named(found: re.Match[str], protocol: str | None, text: str) -> NameTarget:
    port_name = (found["port"] or "") if found["colon"] else None
    target = NameTarget(found["namespace"], found["name"], port_name, protocol)
    if target.port is not None:
        _checked_port(target.port, text)
    return target


def is_bare_port(text: str) -> bool:
    """Whether a TARGET is a number and no more, which is read as a node port."""
    return text.strip().partition("/")[0].isdecimal()


def _parse_address(rest: str, protocol: str | None, text: str) -> AddressTarget | None:
    """Read an address, an IPv6 one in brackets or bare, with a port or without."""
    bare = rest[1:-1] if rest.startswith("[") and rest.endswith("]") else rest
    for address, port in ((bare, None), split_endpoint(rest)):
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            continue
        return AddressTarget(str(parsed), None if port is None else _checked_port(port, text), protocol)
    return None


def _checked_port(port: int, text: str) -> int:
    if not 0 < port < 65536:
        raise TargetError(f"invalid port {port} in {quoted(without_password(text))} (1 to 65535)")
    return port


def in_namespace(text: str, namespace: str) -> str:
    """Return TARGET, the name of a service, with a namespace that is given beside it.

    Raises:
        TargetError: it names no service, or one of another namespace.
    """
    target, typed = parse_target(text), without_password(text)
    if not isinstance(target, NameTarget):
        raise TargetError(f"--namespace {namespace} needs the name of a service, not {quoted(typed)}")
    if target.namespace not in {None, namespace, *KINDS}:
        raise TargetError(
            f"{quoted(typed)} is in namespace {target.namespace}, not {namespace}", hint="drop --namespace"
        )
    if not target.protocol:
        return target._replace(namespace=namespace).text
    port = f":{target.port_name}" if target.port_name else ""
    return f"{target.protocol}://{target.name}.{namespace}{port}"


def family_of_target(text: str) -> str | None:
    """Return the family of the address that TARGET names, `ipv4` or `ipv6`; None where it names none.

    Raises:
        TargetError: it has none of the forms of a TARGET.
    """
    target = parse_target(text)
    return f"ipv{target.version}" if isinstance(target, AddressTarget) else None
