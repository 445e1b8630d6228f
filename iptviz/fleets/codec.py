"""A summary as lines of JSON, and back: no more than is known of its records, since others may have written it.

The first line says what it is, the second has the nodes. Then there is a line for each form of a service port,
one for each finding, and one that ends it. Most nodes of a cluster have the same lines: each is read once.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from iptviz.checks.finding import Finding
from iptviz.compare.ports.form import PortForm
from iptviz.engine.dyadic import Dyadic, dyadic
from iptviz.fleets.shapes import NAMES, RECORDS, many, of, text
from iptviz.fleets.summary import NodeFacts, Noticed, Summary
from iptviz.kube.endpoint_form import AlikeEndpoints
from iptviz.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

FORMAT = 1
"""The number of this form; what is kept in another one is made anew."""

_HEAD = ["iptviz fleet", FORMAT, __version__]
_END = ["end"]
_REMEMBERED = 20_000
"""So many lines are remembered: as many as a large cluster has service ports."""

_MOST_BITS = 1 << 20
"""So long a number may be: longer ones would only be slow, and no rules make them."""

_WIDEST = 1 << 53
"""Whole numbers beyond it are written otherwise: not every JSON keeps them."""

_DEEPEST = 40


class UnfitError(Exception):
    """A summary holds something that is not kept; or what is kept is none."""


def encoded(summary: Summary) -> str:
    """Return a summary as text.

    Raises:
        UnfitError: it holds what is not kept, such as a rule, or what could not be read.
    """
    if summary.unreadable:
        raise UnfitError("something could not be read")
    return "".join(f"{line}\n" for line in _lines(summary))


def _lines(summary: Summary) -> Iterator[str]:
    yield _json(_HEAD)
    yield _json([_packed(summary.nodes), sum(map(len, summary.ports.values())), len(summary.noticed)])
    for key, forms in summary.ports.items():
        for form, nodes in forms.items():
            yield f"{nodes:x} {_json(_packed((key, form)))}"
    for cause, one in summary.noticed.items():
        yield f"{one.nodes:x} {_json(_packed(((*cause, one.said), one.finding)))}"
    yield _json(_END)


def decoded(kept: str) -> Summary:
    """Return the summary that a text says.

    Raises:
        UnfitError: it says none, or one in another form or of another version.
    """
    try:
        return _decoded(kept.split("\n"))
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        OverflowError,
        RecursionError,
        AttributeError,
    ) as error:
        raise UnfitError(str(error)) from None


def _decoded(lines: list[str]) -> Summary:
    _require(lines[-1] == "" and lines[-2] == _json(_END) and lines[0] == _json(_HEAD))
    packed, forms, findings = _read(lines[1])
    nodes = _unpacked(packed)
    _require(len(lines) == forms + findings + 4 and many(of(NodeFacts))(nodes))
    everyone = (1 << len(nodes)) - 1
    ports: dict[tuple[str, ...], dict[PortForm, int]] = {}
    for line in lines[2 : 2 + forms]:
        those, (key, form) = _entry(line, PortForm, everyone)
        ports.setdefault(key, {})[form] = those
    noticed: dict[Any, Noticed] = {}
    for line in lines[2 + forms : -2]:
        those, ((*cause, said), finding) = _entry(line, Finding, everyone)
        _require(len(cause) == 3)
        noticed[tuple(cause)] = Noticed(finding, those, said)
    return Summary(nodes, ports, noticed)


def _entry(line: str, kind: type, everyone: int) -> tuple[int, Any]:
    nodes, blank, rest = line.partition(" ")
    those = int(nodes, 16)
    _require(bool(blank) and 0 < those <= everyone)
    return those, _keyed(rest, kind)


@lru_cache(maxsize=_REMEMBERED)
def _keyed(line: str, kind: type) -> tuple[tuple[str, ...], Any]:
    """Return what stands in a line: the key, and what it is the key of."""
    key, value = _unpacked(_read(line))
    _require(many(text)(key) and type(value) is kind)
    hash(value)
    return key, value


def _require(holds: bool) -> None:  # noqa: FBT001
    if not holds:
        raise UnfitError("not a summary of this version")


# --- JSON ----------------------------------------------------------------------------------------------------


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _read(line: str) -> Any:
    import json

    return json.loads(line)


# --- values as JSON has them ---------------------------------------------------------------------------------


def _packed(value: Any, depth: int = _DEEPEST) -> Any:
    """Return a value as JSON has it: texts, small numbers and truths as they are, all else as a signed list."""
    if value is None or type(value) in {str, bool}:
        return value
    if type(value) is int and -_WIDEST < value < _WIDEST:
        return value
    if not depth:
        raise UnfitError("too deeply nested")
    kind = type(value)
    if kind in RECORDS:
        _require_kinds(kind, value)
        return [kind.__name__, *_all_packed(value, depth)]
    pack = _PACKED.get(kind)
    if pack is None:
        raise UnfitError(f"{kind.__name__} is not kept")
    return pack(value, depth)


def _all_packed(values: Iterable[Any], depth: int) -> list[Any]:
    return [_packed(each, depth - 1) for each in values]


def _set_packed(values: frozenset[Any], depth: int) -> list[Any]:
    return ["{", *sorted(_all_packed(values, depth), key=_json)]


_PACKED: Mapping[type, Callable[[Any, int], list[Any]]] = {
    tuple: lambda value, depth: ["(", *_all_packed(value, depth)],
    AlikeEndpoints: lambda value, depth: ["(", *_all_packed(value, depth)],
    frozenset: _set_packed,
    Dyadic: lambda value, _: ["2", f"{value.numerator:x}", value.exponent],
    Fraction: lambda value, _: ["/", f"{value.numerator:x}", f"{value.denominator:x}"],
    float: lambda value, _: [".", value.hex()],
    int: lambda value, _: ["x", f"{value:x}"],
}


def _require_kinds(kind: type, value: Any) -> None:
    """Raise UnfitError where a record does not have what its fields may have."""
    kinds = RECORDS[kind]
    fields = [tuple(field) if type(field) is AlikeEndpoints else field for field in value]
    _require(
        len(kinds) == len(fields) and all(fits(field) for fits, field in zip(kinds, fields, strict=True))
    )


def _unpacked(value: Any) -> Any:
    if type(value) is not list:
        _require(value is None or type(value) in {str, bool, int})
        return value
    sign, *rest = value
    if sign in NAMES:
        kind: Any = NAMES[sign]
        fields = list(map(_unpacked, rest))
        _require(len(fields) == len(kind._fields))
        made = kind(*fields)
        _require_kinds(kind, made)
        return made
    return _UNPACKED[sign](*rest)


def _hex(digits: str) -> int:
    _require(len(digits) <= _MOST_BITS // 4)
    return int(digits, 16)


def _dyadic(numerator: str, exponent: int) -> Dyadic:
    _require(type(exponent) is int and 0 <= exponent <= _MOST_BITS)
    return dyadic(_hex(numerator), exponent)


def _fraction(numerator: str, denominator: str) -> Fraction:
    below = _hex(denominator)
    _require(below > 0)
    return Fraction(_hex(numerator), below)


def _set(*values: Any) -> frozenset[Any]:
    made = frozenset(map(_unpacked, values))
    _require(len(made) == len(values))
    return made


def _real(digits: str) -> float:
    made = float.fromhex(digits)
    _require(made - made == 0)  # neither endless nor no number
    return made


_UNPACKED: Mapping[str, Callable[..., Any]] = {
    "(": lambda *values: tuple(map(_unpacked, values)),
    "{": _set,
    "2": _dyadic,
    "/": _fraction,
    ".": _real,
    "x": _hex,
}
