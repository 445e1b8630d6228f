"""Rules in the neutral form, each made when it is asked for: nobody asks for most of a long chain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from iptviz.rules.form import CompiledRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Source = TypeVar("Source")


class LazyRules(Sequence[CompiledRule], Generic[Source]):
    """Rules in order; `make` makes one of what the source has for it, once."""

    def __init__(self, rules: Sequence[Source], make: Callable[[Source], CompiledRule]) -> None:
        self._rules = rules
        self._make = make
        self._made: list[CompiledRule | None] = [None] * len(rules)

    def __len__(self) -> int:
        return len(self._rules)

    def __iter__(self) -> Iterator[CompiledRule]:
        for place, made in enumerate(self._made):
            yield self[place] if made is None else made

    @overload
    def __getitem__(self, place: int) -> CompiledRule: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[CompiledRule]: ...

    def __getitem__(self, place: int | slice) -> CompiledRule | Sequence[CompiledRule]:
        if isinstance(place, slice):
            return [self[at] for at in range(len(self))[place]]
        made = self._made[place]
        if made is None:
            made = self._made[place] = self._make(self._rules[place])
        return made
