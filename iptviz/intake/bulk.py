"""The rules that kube-proxy writes by the hundred thousand: of endpoints, and of services' own chains.

In a large cluster nine of ten rules are of these forms. A text that none of the forms can hold need not be looked
for in them.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import chain as joined
from itertools import product
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class _Place(NamedTuple):
    """A place of a line: the bytes that may stand there, and whether more of them may follow."""

    of: bytes
    repeated: bool = False


_DIGITS = b"0123456789"
_UPPER, _LOWER = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz"
_FIELDS = {
    b"name": _Place(_UPPER + _DIGITS, repeated=True),
    b"number": _Place(_DIGITS, repeated=True),
    b"chance": _Place(_DIGITS + b".", repeated=True),
    b"first": _Place(b"123456789abcdef"),
    b"ipv4": _Place(_DIGITS + b".", repeated=True),
    b"ipv6": _Place(_DIGITS + b"abcdef:", repeated=True),
    b"address": _Place(_DIGITS + b"abcdef.:", repeated=True),
    b"service": _Place(_LOWER + _DIGITS + b"./:-", repeated=True),
}
_FIELD = re.compile(rb"<(\w+)>")

_COUNTERS = (b"", b"[<number>:<number>] ")
_ENDPOINT, _SERVICE = b"KUBE-SEP-<name>", b"KUBE-SVC-<name>"
MARKING = b"KUBE-MARK-MASQ"
"""The chain to which rules of both jump."""
_ITSELF = (b" -s <address>/<number> -j %b\n" % MARKING,)
_SENT_TO = tuple(
    b" -p tcp -m tcp -j DNAT --to-destination %b:<number>\n" % where
    for where in (b"<first><ipv4>", b"[<first><ipv6>]")
)
"""What the two rules of an endpoint say behind the name of its chain: of the pod itself, and of all."""
_TO_A_SERVICE = (
    b'-p tcp -m comment --comment "<service> cluster IP" -m tcp --dport <number> -j %b\n' % MARKING
)
_FROM_OUTSIDE = (b" ! -s <address>/<number> -d <address>/<number> " + _TO_A_SERVICE,)
_CHOICES = tuple(
    b" %b-j %b\n" % (by, _ENDPOINT) for by in (b"-m statistic --mode random --probability <chance> ", b"")
)
"""What the rules of a service say: the first may be of clients from outside, others choose an endpoint."""


def _matching(form: bytes) -> bytes:
    """Return an expression for what has a form."""
    literals, names = _FIELD.split(form)[::2], _FIELD.findall(form)
    fields = map(_one_or_more, map(_FIELDS.__getitem__, names))
    return b"".join(joined(*zip(map(re.escape, literals), (*fields, b""), strict=True)))


def _one_or_more(place: _Place) -> bytes:
    return (b"[%b]++" if place.repeated else b"[%b]") % re.escape(place.of)


def _one_of(forms: Iterable[bytes]) -> bytes:
    return b"(?:%b)" % b"|".join(map(_matching, forms))


def _run(group: int, chain: bytes, first: bytes, more: bytes) -> bytes:
    """Return an expression for rules of one chain, whose name is a group of it."""
    begin = _one_of(_COUNTERS) + rb"-A\ "
    return rb"%b(%b)%b(?:%b\%d%b)" % (begin, _matching(chain), first, begin, group, more)


STRETCH = rb"(?:%b|%b{0,999}){1,999}" % (
    _run(2, _ENDPOINT, _one_of(_ITSELF), _one_of(_SENT_TO)),
    _run(3, _SERVICE, _one_of((*_FROM_OUTSIDE, *_CHOICES)), _one_of(_CHOICES)),
)
"""Matches rules one after the other: both of an endpoint, or those of a service.

It has two groups, which are the second and the third of the pattern that it is part of.
"""


@cache
def _lines() -> list[tuple[_Place, ...]]:
    """Return all forms of lines, place by place."""
    of_chains = ((_ENDPOINT, (*_ITSELF, *_SENT_TO)), (_SERVICE, (*_FROM_OUTSIDE, *_CHOICES)))
    lines = (b"-A %b%b" % (chain, form) for chain, forms in of_chains for form in forms)
    return [_places(counters + line) for counters, line in product(_COUNTERS, lines)]


def _places(form: bytes) -> tuple[_Place, ...]:
    parts = re.finditer(rb"<(\w+)>|[\s\S]", form)
    return tuple(_FIELDS[part[1]] if part[1] else _Place(part[0]) for part in parts)


@cache
def may_hold(text: bytes) -> bool:
    """Whether such rules may hold `text`; one that goes over several lines is taken for one that they may."""
    return b"\n" in text[:-1] or any(_holds(line, text) for line in _lines())


def _holds(line: tuple[_Place, ...], text: bytes) -> bool:
    """Whether `text` may stand somewhere in a line: tells by all places at once where its bytes may stand."""
    places = set(range(len(line)))
    for byte in text:
        fitting = [place for place in places if place < len(line) and byte in line[place].of]
        places = {place + 1 for place in fitting}.union(place for place in fitting if line[place].repeated)
    return bool(places)
