"""The pseudonyms of one node, and what is asked about it in them."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.errors import TargetError
from iptviz.kube.spellings import KINDS, POD_KINDS
from iptviz.kube.target import AddressTarget, NameTarget, NodePortTarget, is_bare_port, parse_target
from iptviz.redact.addresses import ranges_in
from iptviz.redact.names import Names
from iptviz.xtables.address import parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.redact.native.words import NativeWords
    from iptviz.redact.secrets import Secrets
    from iptviz.supplied.service_names import Candidate

_RANGE_SIGNS = ("-range", "--to-")
"""What stands in the rules that may hold ranges of addresses."""

_IN_RANGE = re.compile(rb"-(?<=[0-9A-Fa-f:.\]]-)\[?(?:[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f.]*+:)")
"""What stands before the second address of a range, and the beginning of that."""

_CHAIN = r'(?:\bchain "?|"name": "){}(?:[" {{]|$)'
"""How a chain of some name stands in a listing of nft."""


class Pseudonyms:
    """Gives pseudonyms to what one node has, and translates what is asked about it."""

    def __init__(
        self,
        dump: Dump | None,
        secrets: Secrets,
        *,
        ports: bool = False,
        candidates: Sequence[Candidate] = (),
        beside: Iterable[str] = (),
        listings: Iterable[str] = (),
    ) -> None:
        """Take the node's dump, if it has one, and listings of nft.

        `candidates` are services that may be in the dump. Ranges of addresses in the texts `beside` stay ranges.
        """
        self._of_dump = tuple(dump.tables.values()) if dump else ()
        self._listings = tuple(listings)
        self._written: dict[str, str] = {}
        self.secrets = secrets
        self.ports = ports
        self.candidates = candidates
        dumped = _with_ranges(dump) if dump else ()
        wildcards: set[str] = set()
        listed: list[str] = []
        if self._listings:
            from iptviz.redact.native.listing import ranges_of, wildcards_of

            wildcards.update(one for listing in self._listings for one in wildcards_of(listing))
            listed = [one for listing in self._listings for one in ranges_of(listing)]
        for ends in dict.fromkeys(ends for text in (*dumped, *beside, *listed) for ends in ranges_in(text)):
            secrets.addresses.keep_order(*ends)
        self.pods: frozenset[str] = frozenset()
        """The names of the pods that are known beside the dump."""
        self.names = Names(dump, secrets, ports=ports, candidates=candidates, wildcards=wildcards)

    @cached_property
    def _native(self) -> NativeWords:
        from iptviz.redact.native.words import NativeWords

        return NativeWords(self.names, self.secrets)

    def listing(self, text: str) -> str:
        """Return what nft printed in pseudonyms; it is written once."""
        if text not in self._written:
            from iptviz.redact.native.listing import written

            self._written[text] = written(text, self._native)
        return self._written[text]

    def target(self, text: str) -> str:
        """Return a TARGET in pseudonyms: what names something in the dump names it still."""
        if any(text in table.chains for table in self._of_dump):
            return self.names.chain(text)
        if any(re.search(_CHAIN.format(re.escape(text)), listing) for listing in self._listings):
            return self._native.names.chain(text)
        try:
            target = parse_target(text)
        except TargetError:
            return self.names.object(text)
        if isinstance(target, NodePortTarget):
            colon = "" if is_bare_port(text) else ":"
            return f"{colon}{self.names.port(str(target.port))}" + _slashed(target.protocol)
        if isinstance(target, AddressTarget):
            return self.addresses(target.text)
        return self._named(target) if isinstance(target, NameTarget) else self.names.object(text)

    def destination(self, text: str) -> str:
        """Return an address or a network in pseudonyms, or a TARGET where the text is neither."""
        address = split_endpoint(text)[0].strip("[]")
        return self.target(text) if parse_network(address) is None else self.addresses(text)

    def _named(self, target: NameTarget) -> str:
        """Return a service's name in pseudonyms; the word with which kubectl calls services stays."""
        name, namespace = self.names.object(target.name), target.namespace
        if target.name in self.pods:
            name = self.names.pod(target.name)
        if namespace and (
            namespace not in KINDS | POD_KINDS or self._names_service(f"{namespace}/{target.name}")
        ):
            namespace = self.names.namespace(namespace)
        port_name = target.port_name
        if port_name and target.port is None:
            port_name = self.names.port_name(port_name)
        hidden = NameTarget(namespace, name, port_name)
        if not target.protocol:
            return hidden.text
        host = f"{name}.{namespace}" if namespace else name
        return f"{target.protocol}://{host}" + (f":{port_name}" if port_name else "")

    def _names_service(self, text: str) -> bool:
        return any(any(table.rules_with(text)) for table in self._of_dump) or any(
            f"-{text}/" in listing for listing in self._listings
        )

    def addresses(self, text: str) -> str:
        """Return a text with the addresses and networks in it replaced."""
        return self.secrets.addresses.in_text(text)


def _with_ranges(dump: Dump) -> Iterator[str]:
    """Yield the rules that may hold ranges of addresses."""
    for table in dump.tables.values():
        for begun, end in table.blocks():
            at = begun
            while found := _IN_RANGE.search(table.data, at, end):
                rule = table.rule_at(found.start())
                if any(sign in rule.text for sign in _RANGE_SIGNS):
                    yield rule.text
                at = table.lines.end(found.start())


def _slashed(protocol: str | None) -> str:
    return f"/{protocol}" if protocol else ""
