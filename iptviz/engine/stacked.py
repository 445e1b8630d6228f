"""Walks of chains that call chains, from a stack: neither depth nor a loop hangs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class _Asked(Protocol):
    """A request, by the chain that it is about."""

    @property
    def chain(self) -> str: ...


Asked = TypeVar("Asked", bound=_Asked)
Found = TypeVar("Found")


def answered(
    first: Asked,
    walk: Callable[[Asked], Generator[Asked, Found, Found]],
    made: dict[Asked, Found],
    open_: dict[str, int],
) -> Found:
    """Return what `walk` finds for `first`; it yields the requests whose answers it needs, and is sent these.

    `made` keeps all answers, and each is found once. `open_` are the chains that are being walked, outermost
    first, with how many walks are in each.
    """
    if first in made:
        return made[first]
    open_.clear()
    pending: list[tuple[Asked, Generator[Asked, Found, Found]]] = []

    def enter(request: Asked) -> None:
        open_[request.chain] = open_.get(request.chain, 0) + 1
        pending.append((request, walk(request)))

    enter(first)
    result: Found | None = None
    while pending:
        request, current = pending[-1]
        try:
            wanted = next(current) if result is None else current.send(result)
        except StopIteration as done:
            result = made[request] = done.value
            pending.pop()
            open_[request.chain] -= 1
            if not open_[request.chain]:
                del open_[request.chain]
            continue
        result = made.get(wanted)
        if result is None:
            enter(wanted)
    return made[first]
