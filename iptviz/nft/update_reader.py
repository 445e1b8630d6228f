"""Statements that change a set for each packet: `add @s { ip saddr }`, and meters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.expression_reader import VERDICTS, read_joined, read_time, read_verdict
from iptviz.nft.expressions import Element
from iptviz.nft.finishing import finished_element
from iptviz.nft.stateful import STATEFUL, read_stateful
from iptviz.nft.statements import SetUpdate
from iptviz.nft.words import NotReadError

if TYPE_CHECKING:
    from iptviz.nft.statements import Statement
    from iptviz.nft.words import Words


def read_update(words: Words, _family: str) -> Statement:
    """Read `add @s { ip saddr timeout 5m }`."""
    operation = words.take()
    name = words.take()
    if not name.startswith("@"):
        raise NotReadError
    return _with_element(operation, name[1:], words)


def read_old_update(words: Words, _family: str) -> Statement:
    """Read `set add ip saddr timeout 5m @s`, as nft wrote it before 0.9."""
    words.take()
    operation = words.one_of(("add", "update", "delete"))
    element = _changed(words)
    name = words.take()
    if not name.startswith("@"):
        raise NotReadError
    return _made_update(operation, name[1:], element)


def read_meter(words: Words, _family: str) -> Statement:
    """Read `meter m size 65535 { ip saddr limit rate 10/second }`."""
    words.take()
    name = words.take()
    if words.skip("size"):
        words.number()
    return _with_element("meter", name, words)


def _with_element(operation: str, name: str, words: Words) -> Statement:
    words.expect("{")
    words.deeper()
    element = _changed(words)
    words.expect("}")
    words.higher()
    return _made_update(operation, name, element)


def _made_update(operation: str, name: str, element: Element) -> SetUpdate:
    done = finished_element(element)
    return SetUpdate(operation, name, done.key, done.data, done.statements, done.timeout)


def _changed(words: Words) -> Element:
    element = Element(read_joined(words))
    while (word := words.peek()) in STATEFUL or word in {"timeout", "expires"}:
        if word in STATEFUL:
            element = element._replace(statements=(*element.statements, read_stateful(words)))
        elif word == "timeout":
            element = element._replace(timeout=read_time(words))
        else:
            element = element._replace(expires=read_time(words))
    if words.skip(":"):
        data = read_verdict(words) if words.peek() in VERDICTS else read_joined(words)
        element = element._replace(data=data)
    return element
