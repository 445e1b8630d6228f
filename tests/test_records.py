"""The program's named tuples do what those of the standard library do."""

from __future__ import annotations

import copy
import pickle
import typing
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest

from iptviz.records import NamedTuple
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Ours(NamedTuple):
    """One of ours."""

    first: str
    second: int | None = None
    third: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        return len(self.first)


class Theirs(typing.NamedTuple):
    """One of theirs."""

    first: str
    second: int | None = None
    third: tuple[str, ...] = ()


class Below(Ours):
    """A class with room for what is worked out once."""

    @cached_property
    def twice(self) -> str:
        return self.first * 2


class Kind(NamedTuple, Generic[Value]):
    value: Value


class Empty(NamedTuple):
    pass


CALLS: list[Callable[[Any], object]] = [
    lambda made: made("a"),
    lambda made: made("a", 2, ("b",)),
    lambda made: made(third=(), first="a"),
    lambda made: made("a")._replace(second=3),
    lambda made: made("a", 4)._asdict(),
    lambda made: made._make(["a", 1, ()]),
    lambda made: made._fields,
    lambda made: made._field_defaults,
    lambda made: made.__match_args__,
    lambda made: made("a", 5) == ("a", 5, ()),
    lambda made: hash(made("a", 5)),
    lambda made: made("a") < made("b"),
    lambda made: (made("a").first, made("a").second, made("a").third),
    lambda made: copy.copy(made("a", 1)),
    lambda made: pickle.loads(pickle.dumps(made("a", 1))),
    lambda made: [*made("a")],
]
FAULTS: list[tuple[type[Exception], Callable[[Any], object]]] = [
    (TypeError, lambda made: made()),
    (TypeError, lambda made: made("a", 1, (), 4)),
    (TypeError, lambda made: made("a", fourth=1)),
    (TypeError, lambda made: made("a", first="b")),
    (TypeError, lambda made: made._make(["a"])),
    (ValueError, lambda made: made("a")._replace(fourth=1)),
    (AttributeError, lambda made: setattr(made("a"), "first", "b")),
    (AttributeError, lambda made: setattr(made("a"), "fourth", "b")),
]


@pytest.mark.parametrize("call", CALLS)
def test_they_answer_alike(call: Callable[[Any], object]) -> None:
    ours, theirs = call(Ours), call(Theirs)
    assert ours == theirs
    assert repr(ours).replace("Ours", "Theirs") == repr(theirs)


@pytest.mark.parametrize(("fault", "call"), FAULTS)
def test_they_refuse_alike(fault: type[Exception], call: Callable[[Any], object]) -> None:
    for made in (Ours, Theirs):
        with pytest.raises(fault):
            call(made)


def test_a_class_below_makes_its_own() -> None:
    assert (type(Below("a")), Below("a").twice, Below("b")._replace(second=1)) == (Below, "aa", ("b", 1, ()))
    assert type(Ours("a")) is Ours


def test_other_kinds() -> None:
    assert Kind(3).value == 3
    assert Kind[int](3) == (3,)
    assert Empty() == ()
    assert Ours("abc").length == 3
    assert (Ours.__doc__, Ours.__module__, Ours.__qualname__) == ("One of ours.", __name__, "Ours")


def test_all_classes_are_of_this_kind() -> None:
    others = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "iptviz").rglob("*.py"))
        if "(NamedTuple" in (text := path.read_text(encoding="utf-8"))
        and "from __future__ import annotations" in text
        and "from iptviz.records import NamedTuple" not in text
    ]
    assert others == [], "typing.NamedTuple takes ten times as long at start-up: see iptviz.records"
