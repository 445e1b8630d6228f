"""What JSON of nft has for statements, as the text has them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from iptviz.nft.expressions import SetReference, Value
from iptviz.nft.finishing import (
    STRING,
    finished,
    finished_address,
    finished_element,
    made_assign,
    made_match,
    made_nat,
    made_reject,
    made_vmap,
)  # fmt: skip
from iptviz.nft.json_expressions import (
    data_of,
    element_of,
    expression_of,
    listed,
    map_of,
    only_item,
    verdict_of,
)  # fmt: skip
from iptviz.nft.json_stateful import stateful_of
from iptviz.nft.json_text import as_json
from iptviz.nft.model import Read
from iptviz.nft.statement_reader import read_rule
from iptviz.nft.statements import (
    Dup,
    Fwd,
    Log,
    Nat,
    Notrack,
    ObjectStatement,
    Queue,
    SetUpdate,
    Synproxy,
    Tproxy,
    Unread,
    Xt,
)  # fmt: skip
from iptviz.nft.words import NotReadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Statement


def read_json_rule(rule: dict[str, Any], family: str) -> Read:
    """Read a rule as JSON has it, in a table of a family."""
    read = [one for one, _ in read_json_each(rule, family)]
    comment = next((one for one in read if isinstance(one, str)), None)
    return Read(tuple(one for one in read if not isinstance(one, str)), comment)


def read_json_each(rule: dict[str, Any], family: str) -> Iterator[tuple[Statement | str, Callable[[], str]]]:
    """Yield each statement of a rule, or its comment, and what returns the text of it, which is JSON."""
    expressions = rule.get("expr")
    for item in expressions if isinstance(expressions, list) else []:
        yield from ((one, partial(as_json, item)) for one in _of(item, family))
    if rule.get("comment") is not None:
        yield str(rule["comment"]), str


def _of(item: Any, family: str) -> Iterator[Statement]:
    """Yield a statement; what JSON has no form for it has as text."""
    if isinstance(item, str):
        yield from read_rule(item, family).statements
        return
    try:
        kind, inner = only_item(item)
        yield verdict_of(kind, inner) or _STATEMENTS[kind](inner, family)
    except (KeyError, TypeError, ValueError, AttributeError, NotReadError):
        yield Unread(as_json(item))


def _match(inner: Any, _family: str) -> Statement:
    right = expression_of(inner["right"])
    operator = str(inner["op"])
    return made_match(expression_of(inner["left"]), "" if operator == "in" else operator, right)


def _vmap(inner: Any, _family: str) -> Statement:
    return made_vmap(expression_of(inner["key"]), map_of(inner["data"]))


def _mangle(inner: Any, _family: str) -> Statement:
    return made_assign(expression_of(inner["key"]), expression_of(inner["value"]))


def _named(kind: str) -> Callable[[Any, str], Statement]:
    """Return what reads the name of an object, or one of those that count on their own."""

    def read(inner: Any, _family: str) -> Statement:
        if isinstance(inner, str):
            return ObjectStatement(kind, Value("string", inner.removeprefix("@")))
        if isinstance(inner, dict) and "map" in inner:
            return ObjectStatement(kind, finished(expression_of(inner), STRING))
        return stateful_of(kind, inner) if kind != "synproxy" else _synproxy(inner)

    return read


def _synproxy(inner: Any) -> Statement:
    found = inner or {}
    flags = listed(found["flags"]) if "flags" in found else ()
    return Synproxy(found.get("mss"), found.get("wscale"), tuple(sorted(flags)))


def _optional(inner: Any, name: str) -> Expression | None:
    return expression_of(inner[name]) if name in inner else None


def _nat(kind: str) -> Callable[[Any, str], Statement]:
    def read(inner: Any, family: str) -> Statement:
        found = inner or {}
        flags = listed(found["flags"]) if "flags" in found else ()
        is_prefix = "prefix" in listed(found.get("type_flags", ""))
        return made_nat(
            Nat(
                kind,
                found.get("family", ""),
                _optional(found, "addr"),
                _optional(found, "port"),
                tuple(flag for flag in flags if flag != "netmap"),
                is_prefix,
            ),
            family,
        )

    return read


def _tproxy(inner: Any, family: str) -> Statement:
    address, port = _optional(inner, "addr"), _optional(inner, "port")
    nat = made_nat(Nat("tproxy", inner.get("family", ""), address, port), family)
    return Tproxy(nat.family, nat.address, nat.port)


def _reject(inner: Any, family: str) -> Statement:
    found = inner or {}
    made = made_reject(found.get("type", ""), found.get("expr", ""), family)
    if made is None:
        raise NotReadError
    return made


def _log(inner: Any, _family: str) -> Statement:
    found = dict(inner or {})
    prefix = found.pop("prefix", None)
    flags = [("flags", flag) for flag in listed(found.pop("flags"))] if "flags" in found else []
    options = sorted([*flags, *((name, str(value)) for name, value in found.items())])
    return Log(prefix, tuple(options))


def _queue(inner: Any, _family: str) -> Statement:
    found = inner or {}
    to = finished(expression_of(found.get("num", 0)), ("integer",))
    return Queue(to, tuple(sorted(listed(found["flags"]))) if "flags" in found else ())


_DEVICE = ("ifname",)


def _dup(inner: Any, family: str) -> Statement:
    if family == "netdev":
        return Dup(None, finished(expression_of(inner["addr"]), _DEVICE))
    device = _optional(inner, "dev")
    address = finished_address(expression_of(inner["addr"]), family)
    return Dup(address, None if device is None else finished(device, _DEVICE))


def _fwd(inner: Any, _family: str) -> Statement:
    address = _optional(inner, "addr")
    family = inner.get("family", "")
    to = None if address is None else finished_address(address, family)
    return Fwd(finished(expression_of(inner["dev"]), _DEVICE), to, family)


def _update(inner: Any, _family: str) -> Statement:
    """Return a change of a set or a map."""
    name = expression_of(inner["map"] if "map" in inner else inner["set"])
    if not isinstance(name, SetReference):
        raise NotReadError
    data = data_of(inner["data"]) if "data" in inner else None
    return _changed(str(inner["op"]), name.name, inner, inner["elem"], data)


def _meter(inner: Any, _family: str) -> Statement:
    statement = inner["stmt"]
    return _changed("meter", str(inner["name"]), {"stmt": [statement]}, inner["key"], None)


def _changed(operation: str, name: str, inner: Any, key: Any, data: Any) -> Statement:
    element = finished_element(element_of(key, is_map=False)._replace(data=data))
    own = tuple(stateful_of(*only_item(item)) for item in inner.get("stmt", ()))
    return SetUpdate(
        operation, name, element.key, element.data, (*element.statements, *own), element.timeout
    )  # fmt: skip


def _xt(inner: Any, _family: str) -> Statement:
    found = inner or {}
    return Xt(str(found.get("type", "")), str(found.get("name", "")))


def _flow(inner: Any, _family: str) -> Statement:
    return ObjectStatement("flow", Value("string", str(inner["flowtable"]).removeprefix("@")))


_STATEMENTS: dict[str, Callable[[Any, str], Statement]] = {
    "match": _match,
    "vmap": _vmap,
    "mangle": _mangle,
    **{kind: _named(kind) for kind in ("counter", "limit", "quota", "synproxy", "secmark")},
    **{kind: _named(kind) for kind in ("ct helper", "ct timeout", "ct expectation")},
    **{kind: _nat(kind) for kind in ("dnat", "snat", "masquerade", "redirect")},
    "ct count": lambda inner, _: stateful_of("ct count", inner),
    "last": lambda inner, _: stateful_of("last", inner),
    "tproxy": _tproxy,
    "reject": _reject,
    "log": _log,
    "queue": _queue,
    "dup": _dup,
    "fwd": _fwd,
    "notrack": lambda _, __: Notrack(),
    "set": _update,
    "map": _update,
    "meter": _meter,
    "xt": _xt,
    "flow": _flow,
}
