"""Pseudonyms of what stands in a listing of nft and has a name: tables, chains, sets, comments, interfaces.

kube-proxy's chains have the service in their names, and a hash of that: `service-HASH8-shop/web/tcp/http`,
`endpoint-HASH8-shop/web/tcp/http__10.0.0.5/80`.
"""

from __future__ import annotations

import re
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING

from iptviz.intake.text import to_bytes
from iptviz.kube.names import SERVICE_PROTOCOLS, base32
from iptviz.kube.public_names import PUBLIC_NFT_CHAINS, PUBLIC_NFT_COMMENTS, PUBLIC_NFT_SETS

if TYPE_CHECKING:
    from iptviz.redact.names import Names
    from iptviz.redact.secrets import Secrets

_OF_SERVICE = re.compile(
    r"(?P<kind>service|local|external|firewall|endpoint|affinity)-(?P<hash>[A-Z2-7]{8})-(?P<rest>[^/]*/.*)",
    re.DOTALL,
)
_HASH = 8
_CUT = "..."
_WILD = "*"
_LITERAL = "\\*"


class NativeNames:
    """The pseudonyms of names as nft has them."""

    def __init__(self, names: Names, secrets: Secrets) -> None:
        self._names = names
        self._secrets = secrets
        self.table = names.table
        self.mac = names.mac
        self.text = names.text
        self.port = names.port

    def chain(self, name: str) -> str:
        """Return the pseudonym of a chain; of those that every node has, the name."""
        if name in PUBLIC_NFT_CHAINS:
            return name
        return self.of_service(name) or self._names.chain(name)

    def set(self, name: str) -> str:
        """Return the pseudonym of a set, a map or a flowtable."""
        if name in PUBLIC_NFT_SETS:
            return name
        return self.of_service(name) or self._names.set(name)

    def comment(self, text: str) -> str:
        """Return a comment of kube-proxy's, or a service's name in pseudonyms; of any other nothing is left."""
        if text in PUBLIC_NFT_COMMENTS:
            return text
        return self._names.service(text) or self._names.comment(text)

    def device(self, name: str) -> str:
        """Return the pseudonym of an interface, or of the beginning of some, which ends in `*`."""
        if name.endswith(_LITERAL):
            return self._names.interface(name.removesuffix(_LITERAL)) + _LITERAL
        if name.endswith(_WILD) and name != _WILD:
            return self._names.interface(f"{name.removesuffix(_WILD)}+").removesuffix("+") + _WILD
        return name if name == _WILD else self._names.interface(name)

    def person(self, name: str) -> str:
        """Return a number for the name of a user or a group: who reads it has nobody of a pseudonym's name."""
        return name if name == "root" else str(self._secrets.number("user", name, 100_000, 999_999))

    # --- kube-proxy's chains and sets of services ------------------------------------------------------------

    def of_service(self, name: str) -> str | None:
        """Return the pseudonym of a chain or set that has a service in its name; None for any other name."""
        found = _OF_SERVICE.fullmatch(name)
        if found is None:
            return None
        rest = found["rest"]
        hidden = self._cut(rest) if rest.endswith(_CUT) else self._whole(rest)
        known = found["hash"] == _hashed(rest)
        fresh = _hashed(hidden) if known else self._secrets.word("hash", found["hash"], upper=True)
        return f"{found['kind']}-{fresh}-{hidden}"

    def _whole(self, rest: str) -> str:
        service, between, end = rest.partition("__")
        return "/".join(self._parts(service.split("/"))) + between + (self._end(end) if between else "")

    def _cut(self, rest: str) -> str:
        """Return a name that was too long: of what it ends in nobody knows the whole."""
        service, between, _ = rest.partition("__")
        if between:
            return f"{'/'.join(self._parts(service.split('/')))}{between}{_CUT}"
        *parts, last = rest.removesuffix(_CUT).split("/")
        return "/".join((*self._parts(parts), self.text(last))) + _CUT

    def _parts(self, parts: list[str]) -> list[str]:
        """Return namespace, service, protocol and name of a port, as many as there are."""
        changes = (self._names.namespace, self._names.object, self._protocol, self._names.port_name)
        named = [change(part) for change, part in zip(changes, parts, strict=False)]
        return [*named, *map(self.text, parts[len(changes) :])]

    def _protocol(self, name: str) -> str:
        return name if name in SERVICE_PROTOCOLS else self.text(name)

    def _end(self, text: str) -> str:
        """Return `address/port`, where an IPv6 address has dots for its colons."""
        host, slash, port = text.partition("/")
        hidden = self._secrets.addresses.of_host(host)
        if hidden is None:
            address = host.replace(".", ":")
            try:
                ip_address(address)
            except ValueError:
                return self.text(text)
            hidden = self._secrets.addresses.of(address).replace(":", ".")
        return (
            hidden
            + slash
            + (self._names.port(port) if port.isascii() and port.isdecimal() else self.text(port))
        )


def _hashed(text: str) -> str:
    """Return the hash of what stands behind it in the name of a chain or set."""
    return base32(sha256(to_bytes(text)).digest())[:_HASH]
