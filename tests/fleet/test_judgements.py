"""What is said of a few nodes that disagree in ways that are easily misjudged: who is blamed, and who is not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from iptviz.checks.wording import sentences
from iptviz.fleets.summary import labels, places
from iptviz.questions.fleet import fleet
from tests.fleetmaker.world import Machine, Pod, Spec, World
from tests.fleetmaker.writing import Setup, flushed, without_hook, written

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.questions.fleet import FleetResult

SPECS = (
    Spec("web", 1, (Pod(1, 10), Pod(2, 11))),
    Spec("api", 2, (Pod(2, 12), Pod(3, 13)), node_port=True),
    Spec("one", 3, (Pod(3, 14),), external=True),
)
MACHINES = tuple(Machine(number, "abc"[number % 3]) for number in range(1, 5))
WORLD = World(MACHINES, SPECS)
PLAIN, BOTH, NATIVE = Setup(), Setup(families=(4, 6)), Setup(nftables=True)


def texts(setup: Setup = PLAIN, world: World = WORLD) -> list[str]:
    return [written(world, machine, setup) for machine in world.machines]


def changed(**by_name: Spec) -> World:
    """The same cluster with other services; of a name that is new, one more."""
    known = {spec.name: spec for spec in SPECS} | by_name
    return replace(WORLD, specs=tuple(known.values()))


def judged(nodes: list[str], folder: Path) -> tuple[FleetResult, set[tuple[str, str, str]]]:
    """What is told of nodes, and what is odd: its id, the service, and the numbers of the nodes."""
    for number, text in enumerate(nodes, 1):
        (folder / f"n{number}.txt").write_text(text, encoding="utf-8")
    result = fleet(str(folder / "n*.txt"), jobs=1)
    names = labels(result.summary.nodes)
    return result, {
        (
            odd.id,
            odd.service.name if odd.service else "",
            "".join(names[place][1:] for place in places(odd.nodes)),
        )
        for odd in result.odd
    }


def test_of_two_nodes_neither_is_right(tmp_path: Path) -> None:
    other = changed(web=replace(SPECS[0], pods=(Pod(1, 10), Pod(2, 99))), new=Spec("new", 9, (Pod(1, 20),)))
    result, odd = judged([texts()[0], texts(world=other)[1]], tmp_path)
    assert odd == {("no-majority", "web", "1"), ("no-majority", "web", "2"), ("no-majority", "new", "1")}
    assert any("no majority for 2 service ports" in text for text in sentences(result.notes))


@pytest.mark.parametrize("family", [4, 6])
def test_of_two_families_each_is_looked_at(family: int, tmp_path: Path) -> None:
    parts = {each: texts(Setup(families=(each,)))[3] for each in (4, 6)}
    parts[family] = flushed(parts[family], chains=True)
    _, odd = judged([*texts(BOTH)[:3], "".join(parts.values())], tmp_path)
    assert odd == {("mode-differs", "", "4")}


def test_nodes_without_rules_are_never_what_is_usual(tmp_path: Path) -> None:
    nodes = texts()
    _, odd = judged([nodes[0], *(flushed(text, chains=True) for text in nodes[1:])], tmp_path)
    assert odd == {("mode-differs", "", "234")}
    _, odd = judged([flushed(text, chains=True) for text in nodes], tmp_path)
    assert odd == {("mode-differs", "", "1234")}


def test_a_hook_that_is_lost_on_all_nodes_is_lost(tmp_path: Path) -> None:
    _, odd = judged([without_hook(text) for text in texts()], tmp_path)
    assert odd == {("hook-missing", "", "1234")}


def test_what_is_really_gone_on_nodes_in_another_mode_is_named(tmp_path: Path) -> None:
    without = changed(one=replace(SPECS[2], external=False))
    _, odd = judged([*texts()[:3], texts(NATIVE, without)[3]], tmp_path)
    assert odd == {("mode-differs", "", "4"), ("service-missing", "one", "4")}
    _, odd = judged([*texts()[:3], texts(NATIVE)[3]], tmp_path)
    assert odd == {("mode-differs", "", "4")}


def test_sets_of_nodes_with_endpoints_of_their_own_are_not_said_to_agree(tmp_path: Path) -> None:
    old = changed(
        web=replace(SPECS[0], pods=(Pod(1, 90), Pod(2, 91))),
        api=replace(SPECS[1], pods=(Pod(2, 92), Pod(3, 93))),
    )
    result, odd = judged([*texts()[:2], *texts(world=old)[2:]], tmp_path)
    assert odd == set()
    assert result.compared == 5  # of 7
    (note,) = [text for text in sentences(result.notes) if "2 service ports" in text]
    assert "zones (topology), or rules that are out of date; not compared" in note


def test_one_service_that_is_behind_makes_no_rules_out_of_date(tmp_path: Path) -> None:
    old = changed(web=replace(SPECS[0], pods=(Pod(1, 10), Pod(2, 91))))
    _, odd = judged([*texts()[:3], texts(world=old)[3]], tmp_path)
    assert odd == {("endpoint-extra", "web", "4"), ("endpoint-missing", "web", "4")}


def test_a_node_without_nat_is_in_no_group(tmp_path: Path) -> None:
    nodes = texts()
    begin = nodes[3].index("*nat")
    alone = nodes[3][:begin] + nodes[3][nodes[3].index("COMMIT", begin) + 7 :]
    result, odd = judged([*nodes[:3], alone], tmp_path)
    assert (odd, [group.nodes.bit_count() for group in result.groups]) == (set(), [3])


def test_a_pod_network_that_one_node_alone_takes_for_its_own_is_named(tmp_path: Path) -> None:
    _, odd = judged([*texts()[:3], texts(Setup(own_network=True))[3]], tmp_path)
    assert odd == {("property-differs", "", "4")}


@pytest.mark.parametrize("cut", [False, True])
def test_a_dump_that_is_cut_may_lack_what_it_has_in_common(cut: bool, tmp_path: Path) -> None:
    other = replace(WORLD, specs=(Spec("alone", 9, (Pod(1, 20),)),))
    text = texts(world=other)[3]
    text = text[: text.rindex("COMMIT")] if cut else text
    result, odd = judged([*texts()[:3], text], tmp_path)
    assert odd == set()
    assert any("another cluster" in said for said in sentences(result.notes)) is not cut
