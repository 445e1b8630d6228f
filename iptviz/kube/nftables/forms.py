"""The form of a frontend's own rules in nftables mode: frontends of one form are answered alike.

What is a frontend's own are the elements that kube-proxy's maps have of it, and the chains that these lead to.
Names and addresses in them are numbered as they come up. All else that the table asks for are addresses, networks
and ports: what lies between the same two of these in order is treated alike. Of a table that leads to services in
another way than kube-proxy's, no form is known.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from iptviz.kube.nftables.names import ENDPOINT, is_of_service
from iptviz.kube.nftables.own import DISPATCHER, HOOKS, MAPS
from iptviz.kube.nftables.table import CLUSTER_IPS, SOURCE_RANGES
from iptviz.nft.expressions import Concatenation, Value
from iptviz.nft.statements import Verdict
from iptviz.records import NamedTuple
from iptviz.rules.native.named import Places, addresses_in, ports_in
from iptviz.rules.native.place import NftPlace
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.addresses import show_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.nft.expressions import Element
    from iptviz.rules.form import Place

    Key = tuple[int | None, int, int]
    Found = tuple[int, Element]

_MAPS = (*MAPS, SOURCE_RANGES)
_BESIDE = ("firewall", "firewall-allow")
"""Sets of 1.29: what is in them is followed alone."""

_PARTS = re.compile(
    r"(?<=[ @\[])((?:service|local|external|firewall|endpoint|affinity)-"
    r"[A-Z2-7]{8}-[^\s/\"{},;]+/[^\s/\"{},;]+/[a-z]+/[a-z0-9-]*(?:__[^\s/\"{},;]+/\d+)?(?![^\s\"{},;])"
    r"|\d{1,3}(?:\.\d{1,3}){3}(?![\w./-])|[0-9a-f]{0,4}:[0-9a-f.]*+:[0-9a-f:.]*+(?![\w./-]))"
)
"""What is numbered: names of chains and sets, and single addresses."""

_LED = re.compile(r"\b(?:goto|jump) ([^\s\"{},;]+/[^\s\"{},;]*)")
_DISPATCHED = re.compile(rf"\b(?:jump|goto) {DISPATCHER}\b")
_SETS = re.compile(r"@(affinity-[^\s\"{},;]+)")
_HANDLE = re.compile(r" # handle \d+$", re.MULTILINE)
_ENDING = ("drop", "reject", "queue", "tproxy", "synproxy")
# A destination without a port has that of the frontend; a source that is excluded alone is a network of pods.
_SPECIAL = re.compile(r"(?: to \[?| : )\0\]?(?=[\s,}]|\Z)(?! \. )|saddr != \0|\bredirect\b")


class OwnForm(NamedTuple):
    """The form of a frontend's own rules, and what stands in it: addresses, chains and elements in their order.

    `number` is equal for frontends of one form, None where none is known. The addresses are one text, with blanks
    between them: as texts of their own they would be much. Chains of endpoints are left out, which are many:
    `Forms.chains` has all. With those `asked` destinations are compared alone; to any other address connections
    are sent, or come from there. `ends`: rules of its own may end connections.
    """

    number: int | None
    joined: str = ""
    chains: tuple[str, ...] = ()
    elements: tuple[tuple[str, int, Element], ...] = ()
    asked: tuple[str, ...] = ()
    ends: bool = False

    @property
    def addresses(self) -> list[str]:
        """The addresses; the first is the frontend's own, empty where it has none."""
        return self.joined.split(" ")

    @property
    def asked_in_order(self) -> tuple[str, ...]:
        """Those that are asked, in the order of all."""
        return tuple([one for one in self.addresses if one in self.asked]) if self.asked else ()


_ALONE = OwnForm(None)


class _Said(NamedTuple):
    """What own rules name beside what is numbered in them; `places` are among that, and what the table names."""

    bounds: Sequence[int]
    ports: Sequence[int]
    places: Places


class Forms:
    """Tells the forms of the frontends of kube-proxy's table."""

    def __init__(self, table: ProxyTable) -> None:
        self._table = table
        self._numbers: dict[object, int | None] = {}
        self._among: dict[frozenset[int], Places] = {}
        self._said: dict[tuple[str, ...], _Said] = {}
        self._known: dict[Place, OwnForm] = {}

    def of(self, frontend: Frontend) -> OwnForm:
        """Return the form of a frontend."""
        place = frontend.rule
        if place not in self._known:
            key = _key_of(place.element) if isinstance(place, NftPlace) and place.element else None
            known = self._is_known and key is not None and key not in self._shadowed
            self._known[place] = self._form(frontend, key) if known and key else _ALONE
        return self._known[place]

    def chains(self, form: OwnForm) -> tuple[str, ...]:
        """Return all chains of a form in their order."""
        walked = self._walked(form.elements)
        return walked[1] if walked is not None else ()

    # --- what has to be so ------------------------------------------------------------------------------------

    @cached_property
    def is_led_by_maps(self) -> bool:
        """Whether the table leads to services' chains by its maps alone, and asks these before nat."""
        texts = self._table.texts_beside_services
        dispatched = {name for name, text in texts if _DISPATCHED.search(text)}
        led = any(_LED.search(text) or _SETS.search(text) for _, text in texts)
        return self._table.is_text and not led and dispatched <= set(HOOKS)

    @cached_property
    def _is_known(self) -> bool:
        """Whether that is so, and what the maps have of each frontend has a key of its own."""
        beside = (self._table.nft.sets.get(name) for name in _BESIDE)
        return (
            self.is_led_by_maps
            and not any(found is not None and found.has_elements for found in beside)
            and self._index is not None
            and self._cluster_ips is not None
        )

    @cached_property
    def _index(self) -> dict[str, dict[Key, Found]] | None:
        """The elements of the maps by their keys; None where one is no single key."""
        index: dict[str, dict[Key, Found]] = {}
        for name in _MAPS:
            found = self._table.nft.sets.get(name)
            if found is None:
                continue
            keyed = [(_key_of(one[1]), one) for one in found.lines]
            index[name] = {key: one for key, one in keyed if key is not None}
            if len(index[name]) < len(keyed) or found.head.flags:
                return None
        return index

    @cached_property
    def _shadowed(self) -> frozenset[Key]:
        """The ports of the node that an address of a service has, too: which is asked first."""
        keys = (key for index in (self._index or {}).values() for key in index if key[0] is not None)
        return frozenset((None, *key[1:]) for key in keys)

    @cached_property
    def _cluster_ips(self) -> frozenset[int] | None:
        found = self._table.nft.sets.get(CLUSTER_IPS)
        if found is None:
            return frozenset()
        keys = [element.key for element in found.walked()]
        values = frozenset(key.data for key in keys if isinstance(key, Value) and isinstance(key.data, int))
        return values if len(values) == len(keys) and not found.head.flags else None

    @cached_property
    def _hairpins(self) -> dict[str, frozenset[tuple[int, int]]]:
        """What endpoints reach themselves by, protocol and port, by their addresses."""
        found: dict[str, set[tuple[int, int]]] = {}
        for key in self._table.hairpin_keys:
            found.setdefault(show_address(*key[:2]), set()).add(key[2:])
        return {address: frozenset(those) for address, those in found.items()}

    # --- the form ---------------------------------------------------------------------------------------------

    def _form(self, frontend: Frontend, key: Key) -> OwnForm:
        elements = tuple(self._elements(key))
        walked = self._walked(elements)
        if walked is None:
            return _ALONE
        texts, chains = walked
        joined = "\n".join(texts)
        parts = _PARTS.split(joined)
        numbers: dict[str, int] = {frontend.address or "": 0}
        tokens = tuple([numbers.setdefault(token, len(numbers)) for token in parts[1::2]])
        literals = tuple(parts[::2])
        addresses = tuple([token for token in numbers if "/" not in token])
        asked = _asked_alone(parts) if "daddr " in joined else ()
        said = self._said_in(literals)
        ends = any(word in joined for word in _ENDING)
        whole = (
            frontend.kind, frontend.protocol, frontend.addresses, self._frontend_place(key, said),
            tuple([(name, found.comment is None) for name, _, found in elements]), literals, tokens,
            tuple([(token[:3], "__" in token) for token in numbers if "/" in token]),
            tuple(said.places.of([one for one in addresses[1:] if one not in asked] if asked else addresses[1:])),
            tuple([self._place_asked(one, said) for one in addresses if one in asked]) if asked else (),
            tuple(map(self._hairpins.get, addresses)) if self._hairpins else (),
            tuple(self._sets_in(joined)) if "@" in joined else (),
            self._order(texts, chains) if ends else (),
        )  # fmt: skip
        if whole not in self._numbers:
            self._numbers[whole] = None if _SPECIAL.search("\0".join(literals)) else len(self._numbers)
        number = self._numbers[whole]
        shown = tuple([name for name in chains if not name.startswith(ENDPOINT)])
        return (
            _ALONE if number is None else OwnForm(number, " ".join(addresses), shown, elements, asked, ends)
        )

    def _elements(self, key: Key) -> Iterator[tuple[str, int, Element]]:
        """Yield what the maps have of a frontend, those of ports of the node also for other addresses."""
        for name, index in (self._index or {}).items():
            for asked in dict.fromkeys((key, (None, *key[1:]))):
                if asked in index:
                    yield name, *index[asked]

    def _walked(
        self, elements: Sequence[tuple[str, int, Element]]
    ) -> tuple[list[str], tuple[str, ...]] | None:
        """Return the texts of what elements lead to, and of their chains: what they lead to first.

        None where one is not there, or is not as nft writes it.
        """
        texts = ["\n".join(_verdict_text(element) for _, _, element in elements)]
        chains: dict[str, None] = {}
        pending = _LED.findall(texts[0])
        for name in pending:
            if name in chains:
                continue
            found = self._table.nft.chains.get(name)
            text = found.plain_text if found is not None else None
            if text is None or found is None:
                return None
            chains[found.name] = None
            texts.append(_HANDLE.sub("", text) if "#" in text else text)
            pending += _LED.findall(text)
        return texts, tuple(chains)

    def _said_in(self, literals: tuple[str, ...]) -> _Said:
        """Return what is named in own rules beside what is numbered: they are the same for many frontends."""
        if literals not in self._said:
            bounds = addresses_in(literals)
            if bounds not in self._among:
                self._among[bounds] = Places(sorted(self._table.named_after_nat | bounds))
            self._said[literals] = _Said(sorted(bounds), sorted(ports_in(literals)), self._among[bounds])
        return self._said[literals]

    def _frontend_place(self, key: Key, said: _Said) -> tuple[object, ...]:
        """Return the place of a frontend's address and port among those that its own rules name, and others."""
        address, _, port = key
        ports = bisect_right(self._beside[1], port), bisect_right(said.ports, port)
        return *ports, *(() if address is None else self._place_beside(address, said))

    def _place_beside(self, address: int, said: _Said) -> tuple[int, int, bool]:
        beside, own = bisect_right(self._beside[0], address), bisect_right(said.bounds, address)
        return beside, own, address in (self._cluster_ips or ())

    def _place_asked(self, address: str, said: _Said) -> object:
        """Return what matters of an address that destinations are compared with."""
        network = parse_network(address)
        return None if network is None else self._place_beside(network.value, said)

    @cached_property
    def _beside(self) -> tuple[list[int], list[int]]:
        texts = [text for _, text in self._table.texts_beside_services]
        pinned = (value for key in self._table.hairpin_keys for value in (key[0], key[0] + 1))
        return sorted(addresses_in(texts).union(pinned)), sorted(ports_in(texts))

    def _sets_in(self, text: str) -> Iterator[object]:
        """Yield what is said of the sets of clients, which are numbered in a text: once for each."""
        for found in map(self._table.nft.sets.get, dict.fromkeys(_SETS.findall(text))):
            yield None if found is None else (found.head, found.elements)

    def _order(self, texts: Sequence[str], chains: Sequence[str]) -> tuple[int, ...]:
        """Return the order in which chains that end connections stand, among themselves and among others.

        The first of several rules that decide the same is told.
        """
        ending = [
            name
            for text, name in zip(texts[1:], chains, strict=True)
            if any(word in text for word in _ENDING)
        ]
        lines = [self._table.nft.chains[name].line for name in ending]
        ordered = sorted(lines)
        return tuple(ordered.index(line) for line in lines) + tuple(
            bisect_right(self._blocks_at, line) for line in lines
        )

    @cached_property
    def _blocks_at(self) -> list[int]:
        """The lines where what belongs to no service begins."""
        table = self._table.nft
        own = (chain.line for name, chain in table.chains.items() if not is_of_service(name))
        return sorted([*own, *(found.line for found in table.sets.values() if "/" not in found.name)])


def _asked_alone(parts: Sequence[str]) -> tuple[str, ...]:
    """Return the addresses with which destinations are compared, and that nothing is sent to or comes from."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for before, token in zip(parts[::2], parts[1::2], strict=False):
        found[before.endswith("daddr ")].add(token)
    return tuple(sorted(found[True] - found[False]))  # one, or none: a set would be much


def _verdict_text(element: Element) -> str:
    data = element.data
    return f"{data.kind} {data.chain}" if isinstance(data, Verdict) else repr(data)


def _key_of(element: Element) -> Key | None:
    """Return address, protocol and port of an element's key, without an address None for it; None for others."""
    parts = element.key.parts if isinstance(element.key, Concatenation) else ()
    values = tuple(part.data for part in parts if isinstance(part, Value) and isinstance(part.data, int))
    if len(values) != len(parts) or len(values) not in {2, 3} or element.statements or element.timeout:
        return None
    return (None, values[0], values[1]) if len(values) == 2 else (values[0], values[1], values[2])


_FORMS: WeakKeyDictionary[ProxyTable, Forms] = WeakKeyDictionary()


def forms_of(table: ProxyTable) -> Forms:
    """Return what tells the forms of a table's frontends, made once."""
    if table not in _FORMS:
        _FORMS[table] = Forms(table)
    return _FORMS[table]
