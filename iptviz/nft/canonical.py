"""What rules, sets and chains of nft mean, in a form that is equal where they do the same, however listed.

Comments, handles, counters and what time has left of elements do not count, nor the order of elements, nor which
number a drawn element has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.counting import Counter, Last
from iptviz.nft.expressions import AnonymousSet, MapLookup, Numgen, Value
from iptviz.nft.statements import VerdictMap, Xt

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Element, Expression, SetReference
    from iptviz.nft.model import Chain, Rule, SetOrMap

Key = tuple[object, ...]
"""What is equal where the same is meant."""

_COUNTING = (Counter, Last)
_HIDDEN_COMMENT = Xt("match", "comment")


def rule_key(rule: Rule) -> Key:
    """Return what a rule asks and does, in its order."""
    return tuple(
        repr(_ordered(one))
        for one in rule.statements
        if not isinstance(one, _COUNTING) and not (isinstance(one, Xt) and one == _HIDDEN_COMMENT)
    )


def is_hidden(rule: Rule) -> bool:
    """Whether a rule names a match or target of iptables and does not show what that asks or does."""
    return any(isinstance(one, Xt) and one != _HIDDEN_COMMENT for one in rule.statements)


def base_key(chain: Chain) -> Key:
    """Return where a chain is hooked in, but for its policy."""
    base = chain.base
    return () if base is None else (base.type, base.hook, base.priority, base.devices, base.flags)


def set_key(found: SetOrMap) -> Key:
    """Return what a set or map is, but for its elements; JSON of nft 1.0.6 does not say that one is dynamic."""
    head = found.head
    flags = tuple(flag for flag in head.flags if flag != "dynamic")
    return found.is_map, head.key_type, head.data_type, flags, head.timeout, head.size, head.rest


def element_key(element: Element) -> str:
    """Return what an element is."""
    kept = tuple(one for one in element.statements if not isinstance(one, _COUNTING))
    return repr(_ordered(element._replace(comment=None, expires=None, statements=kept)))


def is_state(found: SetOrMap) -> bool:
    """Whether rules put elements into a set: what is in it then is no part of the rules."""
    return bool({"dynamic", "timeout"} & set(found.head.flags))


def _ordered(part: object) -> object:
    """Return a part of a rule with the elements of sets within it in one order."""
    if isinstance(part, (MapLookup, VerdictMap)) and _draws(part.key, part.map):
        return part.__class__.__name__, repr(part.key), _drawn(part.map)
    if isinstance(part, AnonymousSet):
        return AnonymousSet(tuple(sorted(map(_element, part.elements), key=repr)))
    if not isinstance(part, tuple):
        return part
    parts = tuple(map(_ordered, part))
    make: Callable[..., object] = part.__class__
    return make(*parts) if hasattr(part, "_fields") else parts


def _element(element: Element) -> Element:
    return element._replace(comment=None, expires=None)


def _draws(key: Expression, among: SetReference | AnonymousSet) -> bool:
    """Whether a number is drawn, and each that may be has one element."""
    if not (isinstance(key, Numgen) and key.mode == "random" and isinstance(among, AnonymousSet)):
        return False
    numbers = {element.key.data for element in among.elements if isinstance(element.key, Value)}
    return numbers == set(range(key.offset, key.offset + key.modulus)) and len(numbers) == len(among.elements)


def _drawn(among: SetReference | AnonymousSet) -> object:
    """Return what is drawn: each number is as likely, so which has what makes no difference."""
    elements = among.elements if isinstance(among, AnonymousSet) else ()
    return sorted(repr(element.data) for element in elements)
