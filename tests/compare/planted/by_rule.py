"""Differences of single rules: somebody edited, inserted, removed or moved them."""

from __future__ import annotations

import re
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

from tests.compare.planted import (
    CHANGED,
    PODS,
    Kind,
    Pair,
    address,
    base_of,
    cluster_of,
    follows,
    pair,
    plain_service,
    together,
)
from tests.compare.planted.truth import port_name, rounded
from tests.kubeproxy import chain_hash
from tests.kubeproxy.words import written

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.checks.planted import Base
    from tests.compare.planted import Fact, Variant
    from tests.kubeproxy import Service

Edited = tuple[str, set["Fact"]]


def edited(
    edit: Callable[[Base, Variant], Edited],
    families: tuple[int, ...] = (4, 6),
    since: int = 1,
    *,
    at: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    then: tuple[str, ...] = (),
    before: Callable[[Base], str] = lambda base: base.text,
) -> Kind:
    """A kind by what is edited in the later dump; `before` makes the earlier one.

    What follows from it, as `follows` reads it: `at` service ports of some sort (a key of `_SORTS`) how clients fare;
    `then` findings of `check` about what is edited.
    """

    def put(variant: Variant) -> Pair:
        service = plain_service(variant.family, 50)
        old = base_of(variant, cluster_of(variant, service))
        new = base_of(variant, cluster_of(variant, service, later=True))
        text, facts = edit(new, variant)
        assert text != new.text
        parts = [
            follows(variant, said, [port_name(one) for one in new.services if _SORTS[sort](one)])
            for sort, said in at.items()
        ]
        told = together(*parts, follows(variant, then, ()))
        return pair(variant, before(old), text, frozenset(facts), told)

    return Kind(put, families, since)


_SORTS: dict[str, Callable[[Service], bool]] = {
    "all": lambda _: True,
    "tcp": lambda service: service.protocol == "tcp",
    "udp": lambda service: service.protocol == "udp",
    "node port": lambda service: bool(service.node_port),
    "local": lambda service: service.local_only,
    "edited": lambda service: service.name == "shop-50",
}
"""Service ports by what rules ask of their connections; those whose chains are edited."""


# --- a service's chains -------------------------------------------------------------------------------------------


def _service(base: Base) -> Service:
    return next(one for one in base.services if one.name == "shop-50")


def _name(base: Base) -> str:
    return port_name(_service(base))


def _frontend(base: Base) -> str:
    return written(_service(base).cluster_ip, 80)


_CHAIN = f"KUBE-SVC-{chain_hash('shop/shop-50:httptcp')}"


def _ways(base: Base) -> list[str]:
    """The rules that share the service's connections out."""
    return re.findall(rf"^-A {_CHAIN} .*-j KUBE-SEP-\w+$", base.text, re.MULTILINE)


def _end(base: Base, place: int, target: str) -> str:
    """The rule with a target in the chain of one endpoint."""
    chain = _ways(base)[place].rpartition(" ")[2]
    return next(line for line in base.text.splitlines() if re.match(rf"-A {chain} .*-j {target}", line))


def _shares(base: Base, *chances: Fraction) -> set[Fact]:
    """What is to be told of shares where the ways take these chances of what is left, in their order."""
    ends = [_end(base, place, "DNAT").rpartition(" ")[2] for place in range(len(chances))]
    facts: set[Fact] = set()
    left = Fraction(1)
    for end, chance in zip(ends, chances, strict=True):
        share, left = left * chance, left * (1 - chance)
        if share != Fraction(1, len(chances)):
            facts.add(
                (
                    "share",
                    _name(base),
                    _frontend(base),
                    end,
                    rounded(Fraction(1, len(chances))),
                    rounded(share),
                )
            )
    if left:
        facts.add(("leftover", _name(base), _frontend(base), "0 %", f"{float(100 * left):g} %"))
    return facts


_EVEN = [Fraction(1, number) for number in (4, 3, 2, 1)]


def _with_chance(way: str, chance: str) -> str:
    plain = re.sub(r" -m statistic .*?--probability [\d.]+", "", way)
    return (
        plain.replace(" -j ", f" -m statistic --mode random --probability {chance} -j ") if chance else plain
    )


def _probability(place: int, chance: str) -> Callable[[Base, Variant], Edited]:
    """One of the four ways takes another chance, or all that is left."""

    def edit(base: Base, _variant: Variant) -> Edited:
        way = _ways(base)[place]
        chances = [*_EVEN]
        chances[place] = Fraction(chance) if chance else Fraction(1)
        return base.instead(way, _with_chance(way, chance)), _shares(base, *chances)

    return edit


def _swapped_ways(base: Base, _variant: Variant) -> Edited:
    """The second way, with its chance of a third, is asked before the first, with its quarter."""
    first, second, *_ = _ways(base)
    text = base.text.replace(f"{first}\n{second}\n", f"{second}\n{first}\n")
    swapped = base._replace(text=text)
    return text, _shares(swapped, Fraction(1, 3), Fraction(1, 4), *_EVEN[2:])


def _inverted(base: Base, _variant: Variant) -> Edited:
    way = _ways(base)[0]
    inverted = way.replace("--probability", "! --probability")
    own_form = (CHANGED, f"nat {_CHAIN}", way, inverted)  # kube-proxy writes no such rule
    return base.instead(way, inverted), {own_form, *_shares(base, Fraction(3, 4), *_EVEN[1:])}


def _redirected(base: Base, variant: Variant) -> Edited:
    """The DNAT rule of an endpoint names another."""
    rule = _end(base, 2, "DNAT")
    old, new = rule.rpartition(" ")[2], written(address(variant.family, "far", 250), 8080)
    facts: set[Fact] = {
        ("endpoint removed", _name(base), _frontend(base), old),
        ("endpoint added", _name(base), _frontend(base), new),
    }
    return base.instead(rule, rule.replace(old, new)), facts


def _other_port(base: Base, _variant: Variant) -> Edited:
    rule = _end(base, 1, "DNAT")
    old = rule.rpartition(" ")[2]
    new = old.replace(":8080", ":8081")
    return base.instead(rule, rule.replace(old, new)), {
        ("endpoint port", _name(base), _frontend(base), old, new)
    }


def _no_hairpin(base: Base, _variant: Variant) -> Edited:
    rule = _end(base, 0, "(?:KUBE-MARK-MASQ|MARK)")
    return base.instead(rule), {("rule removed", f"nat {rule.split()[1]}", rule)}


def _masquerading(base: Base) -> str:
    """The rule that masquerades connections to the cluster IP."""
    found = re.search(
        rf"^-A (?:KUBE-SERVICES|{_CHAIN}) ! -s \S+ -d {_service(base).cluster_ip}/.*$",
        base.text,
        re.MULTILINE,
    )
    assert found
    return found[0]


def _unmasqueraded(base: Base, _variant: Variant) -> Edited:
    return base.instead(_masquerading(base)), {
        ("masquerade", _name(base), _frontend(base), f"unless source in {PODS[base.family]}", "no")
    }


def _other_network(base: Base, variant: Variant) -> Edited:
    rule = _masquerading(base)
    other = "10.42.0.0/16" if variant.family == 4 else "fd00:10:42::/48"
    return base.instead(rule, rule.replace(PODS[variant.family], other)), {
        (
            "masquerade",
            _name(base),
            _frontend(base),
            *(f"unless source in {net}" for net in (PODS[base.family], other)),
        )
    }


OF_CHAINS: dict[str, Kind] = {
    "a probability is edited": edited(_probability(0, "0.50000000000"), then=("new uneven-shares",)),
    "a later probability is edited": edited(_probability(2, "0.90000000002"), then=("new uneven-shares",)),
    "a probability is lost": edited(_probability(1, ""), then=("new endpoint-shadowed",)),
    "the last way takes a chance": edited(
        _probability(3, "0.50000000000"), at={"edited": ("reached",)}, then=("new connections-lost",)
    ),
    "ways stand in an order of other shares": edited(_swapped_ways, then=("new uneven-shares",)),
    "a probability is inverted": edited(_inverted, then=("new uneven-shares",)),
    "DNAT to another endpoint": edited(_redirected),
    "DNAT to another port": edited(_other_port),
    "hairpin rule lost": edited(_no_hairpin, then=("new hairpin-missing",)),
    "masquerade rule lost": edited(
        _unmasqueraded, since=3, at={"edited": ("reached for another reason?",)}, then=("new no-masquerade",)
    ),
    "masquerade rule of another network": edited(
        _other_network,
        since=3,
        at={"all": ("reached for another reason?", "reached by single clients?")},
        then=("new cidr-mix",),
    ),
}
"""Somebody edited the chains of one service."""
