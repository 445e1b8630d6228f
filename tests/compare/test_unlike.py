"""Which chains may differ is told by text alone, and none that differs is missed."""

from __future__ import annotations

import random

import pytest

from iptviz.compare.chains.unlike import unlike_chains


def text_of(rules: list[str], *, counted: bool = False, ending: str = "\n") -> bytes:
    lines = (f"[{place}:{place * 60}] {rule}" if counted else rule for place, rule in enumerate(rules))
    return "\n".join(lines).encode() + ending.encode()


def unlike(old: bytes, new: bytes) -> frozenset[bytes] | None:
    return unlike_chains((old, [(0, len(old))]), (new, [(0, len(new))]))


def by_chain(rules: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for rule in rules:
        found.setdefault(rule.split()[1], []).append(rule)
    return found


def really_unlike(old: list[str], new: list[str]) -> set[bytes]:
    sides = by_chain(old), by_chain(new)
    return {chain.encode() for chain in {*sides[0], *sides[1]} if sides[0].get(chain) != sides[1].get(chain)}


def changed(rules: list[str], chance: random.Random) -> list[str]:
    """Return rules with some of them gone, come, changed or moved, chains and all."""
    found = list(rules)
    for _ in range(chance.randrange(5)):
        at, length = chance.randrange(len(found)), chance.choice([1, 1, 3, 40])
        kind = chance.choice(["gone", "come", "changed", "moved"])
        some = found[at : at + length]
        if kind != "come":
            del found[at : at + length]
        if kind == "come":
            found[at:at] = [f"{rule} -j NEW" for rule in some]
        elif kind == "changed":
            found[at:at] = [f"{rule}x" for rule in some]
        elif kind == "moved":
            to = chance.randrange(len(found) + 1)
            found[to:to] = some
        found = found or ["-A LAST -j DROP"]
    return found


@pytest.mark.parametrize("seed", range(60))
def test_no_chain_that_differs_is_missed(seed: int) -> None:
    chance = random.Random(seed)
    old = [f"-A C{chance.randrange(number // 4 + 1)} -s 10.0.0.{number % 7}" for number in range(400)]
    new = changed(old, chance)
    found = unlike(text_of(old), text_of(new, counted=bool(seed % 2)))
    assert found is not None
    assert found >= really_unlike(old, new)


def test_chains_beside_a_change_are_not_told() -> None:
    old = [f"-A C{number} -j DROP" for number in range(20_000)]
    new = [rule for rule in old if rule != "-A C700 -j DROP"]
    new[9_000:9_000] = ["-A NEW -j DROP", "-A C9001 -j ACCEPT"]
    assert unlike(text_of(old), text_of(new, counted=True)) == frozenset({b"C700", b"NEW", b"C9001"})


def test_a_line_that_breaks_off_is_another_line() -> None:
    assert unlike(b"-A A -j B\n-A C -j D", b"-A A -j B\n-A C -j DROP\n-A E -j F\n") == frozenset({b"C", b"E"})
    assert unlike(b"-A A -j B\n-A C -j D", b"-A A -j B\n-A C -j D") == frozenset()
    assert unlike(b"-A A -j B\n-A C -j D", b"-A A -j B\n-A C -j D\n") == frozenset({b"C"})


def test_another_kind_of_line_end_ends_no_line() -> None:
    assert unlike(b"-A A -j B\rx\n-A C -j D\rsame\n", b"-A A -j B\ry\n-A C -j E\rsame\n") == frozenset(
        {b"A", b"C"}
    )


def test_what_came_at_the_end_may_be_large() -> None:
    old = [f"-A C{number} -j DROP" for number in range(100)]
    new = [*old, *(f"-A N{number} -j DROP" for number in range(150_000))]
    found = unlike(text_of(old), text_of(new))
    assert found is not None
    assert len(found) == 150_000


def test_where_nearly_all_is_spelt_otherwise_nothing_is_told() -> None:
    old = [f"-A C{number} -j DROP" for number in range(60_000)]
    assert unlike(text_of(old), text_of([f"{rule} " for rule in old])) is None
