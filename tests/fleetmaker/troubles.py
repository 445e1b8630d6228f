"""Troubles, each of which is planted on nodes of its own, and tells what must be named of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tests.fleetmaker.truth import Odd, Truth
from tests.fleetmaker.world import Pod, Spec
from tests.fleetmaker.writing import (
    flushed,
    in_ipvs_mode,
    with_counters,
    without_hook,
    without_ports,
    written,
    written_by_nft,
)
from tests.kubeproxy import chain_hash

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from tests.fleetmaker.world import Machine, World
    from tests.fleetmaker.writing import Setup

FIRST_LATER_POD = 200
"""The numbers from here on are those of pods that are no more."""


@dataclass
class Draft:
    """A fleet while troubles are planted: `free` are machines without any, in the order of the dice."""

    world: World
    setup: Setup
    dice: random.Random
    free: list[Machine]
    truth: Truth = field(default_factory=Truth)
    texts: dict[str, str] = field(default_factory=dict)
    past: dict[str, World] = field(default_factory=dict)

    def take(self) -> Machine:
        """Return a machine that has no trouble yet."""
        return self.free.pop()

    def write(self, machine: Machine, text: str) -> None:
        """Give a machine's file the text."""
        self.texts[machine.name] = text

    def healthy(self, machine: Machine) -> str:
        """Return what a machine's file has without any trouble."""
        return written(self.world, machine, self.setup)

    def odd(
        self, finding: str, machines: Iterable[Machine], service: str = "", endpoints: Iterable[str] = ()
    ) -> None:
        """Note what must be named."""
        names = tuple(sorted(machine.name for machine in machines))
        self.truth.odd.add(Odd(finding, service, tuple(sorted(endpoints)), names))

    def names(self, wanted: Callable[[Spec], bool]) -> list[str]:
        """Return services whose ports are all wanted, in the order of the dice."""
        names = dict.fromkeys(spec.name for spec in self.world.specs)
        found = [name for name in names if all(map(wanted, self.world.named(name)))]
        self.dice.shuffle(found)
        return found


def frozen(draft: Draft, nodes: int = 1) -> None:
    """Plant nodes whose kube-proxy stopped a while ago: pods were replaced, services came and went since."""
    machines = [draft.take() for _ in range(nodes)]
    past = _earlier(draft)
    for machine in machines:
        draft.write(machine, written(past, machine, draft.setup))
    for spec in (*draft.world.specs, *past.specs):
        _tell_what_changed(draft, machines, spec, past)
    draft.odd("stale-node", machines)


def frozen_two(draft: Draft) -> None:
    """Plant two nodes that stopped at one moment: both have what is odd."""
    frozen(draft, 2)


def _earlier(draft: Draft) -> World:
    """Return the cluster as it was: other pods, a service less, another one more."""
    past = draft.world
    full = draft.names(lambda spec: len(spec.pods) > 1 and not spec.hides_endpoints)
    changes = (_replaced, _replaced, _shrunk_since, _grown_since, _emptied_since, None)
    for name, change in zip(full, changes, strict=False):
        pods = [] if change is None else change(draft, list(draft.world.named(name)[0].pods))
        ports = [replace(spec, pods=tuple(pods)) for spec in draft.world.named(name)]
        past = past.with_ports(name, [] if change is None else ports)
    gone = Spec("gone", 250, (_former(draft), _former(draft)), node_port=True)
    return replace(past, specs=(*past.specs, gone))


def _former(draft: Draft) -> Pod:
    """Return a pod that is no more."""
    machine = draft.dice.choice(draft.world.machines)
    return Pod(machine.number, draft.dice.randint(FIRST_LATER_POD, 240))


def _replaced(draft: Draft, pods: list[Pod]) -> list[Pod]:
    return [*pods[:-1], _former(draft)]


def _shrunk_since(draft: Draft, pods: list[Pod]) -> list[Pod]:
    return [*pods, _former(draft)]


def _grown_since(_draft: Draft, pods: list[Pod]) -> list[Pod]:
    return pods[:-1]


def _emptied_since(_draft: Draft, _pods: list[Pod]) -> list[Pod]:
    """A service that had no pod yet."""
    return []


def _tell_what_changed(draft: Draft, machines: list[Machine], spec: Spec, past: World) -> None:
    now, then = (_port_of(world, spec) for world in (draft.world, past))
    if now is None or then is None:
        draft.odd("service-extra" if now is None else "service-missing", machines, spec.text)
        return
    for family in draft.setup.families:
        old, new = set(then.endpoints(family)), set(now.endpoints(family))
        if old - new:
            draft.odd("endpoint-extra", machines, spec.text, old - new)
        if new - old:
            draft.odd("endpoint-missing", machines, spec.text, new - old)


def _port_of(world: World, spec: Spec) -> Spec | None:
    return next((one for one in world.specs if one.text == spec.text), None)


def half_synced(draft: Draft) -> None:
    """Plant a node whose kube-proxy has not yet written a third of the services."""
    machine, names = draft.take(), draft.names(lambda _spec: True)
    missing = names[: len(names) // 3]
    partial = draft.world
    for name in missing:
        for spec in partial.named(name):
            draft.odd("service-missing", [machine], spec.text)
        partial = partial.with_ports(name, [])
    draft.write(machine, written(partial, machine, draft.setup))


def nat_flushed(draft: Draft) -> None:
    """Plant a node whose nat table somebody flushed, with its chains."""
    machine = draft.take()
    draft.write(machine, flushed(draft.healthy(machine), chains=True))
    draft.odd("mode-differs", [machine])


def rules_flushed(draft: Draft) -> None:
    """Plant a node of whose nat table somebody flushed the rules: `iptables -t nat -F` leaves the chains."""
    machine = draft.take()
    draft.write(machine, flushed(draft.healthy(machine), chains=False))
    draft.odd("mode-differs", [machine])


def roll_out(draft: Draft) -> None:
    """Plant a newer kube-proxy on a quarter of the nodes, which need not be without trouble otherwise."""
    count = max(1, len(draft.world.machines) // 4)
    machines = [draft.take() for _ in range(count)]
    newer = replace(draft.setup, release=NEWER[draft.setup.release])
    for machine in machines:
        draft.write(machine, written(draft.world, machine, newer))
    draft.odd("era-differs", machines)


NEWER = {"1.26": "1.29", "1.24": "1.27"}
"""Releases between which the rules change, and not what they mean."""


def in_other_mode(draft: Draft) -> None:
    """Plant a node in IPVS mode."""
    machine = draft.take()
    draft.write(machine, in_ipvs_mode(machine))
    draft.odd("mode-differs", [machine])


def in_nftables_mode(draft: Draft) -> None:
    """Plant a node in nftables mode."""
    machine = draft.take()
    draft.write(machine, written_by_nft(draft.world, machine, draft.setup))
    draft.odd("mode-differs", [machine])


def truncated(draft: Draft) -> None:
    """Plant a dump that ends somewhere: in filter or in nat, within a line or behind one."""
    machine = draft.take()
    text = draft.healthy(machine)
    cut = text[: int(len(text) * draft.dice.uniform(0.2, 0.95))]
    draft.write(machine, cut)
    draft.truth.incomplete.add(machine.name)


def saved_by_old(draft: Draft) -> None:
    """Plant a dump that an older iptables saved: without ports."""
    machine = draft.take()
    draft.write(machine, without_ports(draft.healthy(machine)))
    draft.truth.noticed.add(("ports-not-printed", machine.name))


def unhooked(draft: Draft) -> None:
    """Plant a node on which nothing leads arriving packets to services."""
    machine = draft.take()
    draft.write(machine, without_hook(draft.healthy(machine)))
    draft.truth.noticed.add(("hook-without-services", machine.name))
    draft.odd("hook-missing", [machine])


def counted(draft: Draft) -> None:
    """Plant a dump with counters among others without: no trouble."""
    machine = draft.take()
    draft.write(machine, with_counters(draft.healthy(machine), draft.dice))


def long_ago(draft: Draft) -> None:
    """Plant a dump that was saved days before the others, and says the same: no trouble."""
    machine = draft.take()
    text = re.sub(
        r" on Mon Nov 23 .* 2026$", " on Fri Nov 20 09:00:00 2026", draft.healthy(machine), flags=re.MULTILINE
    )
    draft.write(machine, text)


def no_dump(draft: Draft) -> None:
    """Give a file beside the nodes' that is none."""
    draft.texts["readme"] = (
        "These are the dumps of our cluster, collected on Monday.\nAsk the platform team.\n"
    )
    draft.truth.unreadable.add("readme")


def empty_file(draft: Draft) -> None:
    """Give an empty file beside the nodes'."""
    draft.texts["empty"] = ""
    draft.truth.unreadable.add("empty")


_SETTINGS: tuple[dict[str, object], ...] = (
    {"affinity": None}, {"ranges": ("198.18.0.0/15", "2001:db8:c633::/64")}, {"local_only": False},
)  # fmt: skip


def set_otherwise(draft: Draft) -> None:
    """Plant a node that has older settings of services: an affinity, source ranges, an external policy."""
    machine, past = draft.take(), draft.world
    for setting in _SETTINGS:
        ((name, value),) = setting.items()
        spec = next(one for one in draft.world.specs if getattr(one, name) and one.pods)
        changed = replace(spec, **{name: value})  # type: ignore[arg-type]
        past = past.with_ports(spec.name, [changed])
        draft.odd("property-differs", [machine], spec.text)
    draft.write(machine, written(past, machine, draft.setup))


def weighted(draft: Draft) -> None:
    """Plant a node on which somebody gave the first endpoint of a service most connections."""
    machine = draft.take()
    name = draft.names(lambda spec: len(spec.pods) > 2 and not spec.hides_endpoints and not spec.local_only)[
        0
    ]
    spec = draft.world.named(name)[0]
    colon = ":" if spec.port_name else ""
    chain = f"KUBE-SVC-{chain_hash(f'shop/{spec.name}{colon}{spec.port_name}{spec.protocol}')}"
    text = re.sub(
        rf"^(.*-A {chain} .*--probability )\S+",
        r"\g<1>0.90000000009",
        draft.healthy(machine),
        count=1,
        flags=re.MULTILINE,
    )
    draft.write(machine, text)
    draft.odd("share-differs", [machine], spec.text, spec.endpoints(draft.setup.families[0]))


def without_host_port(draft: Draft) -> None:
    """Plant a node that lacks the host port which each other node has."""
    machine = draft.take()
    draft.write(machine, written(draft.world, machine, replace(draft.setup, host_port=None)))
    draft.odd("hostport-gone", [machine])


TROUBLES: dict[str, Callable[[Draft], None]] = {
    "frozen": frozen,
    "two frozen": frozen_two,
    "half-synced": half_synced,
    "flushed": nat_flushed,
    "rules flushed": rules_flushed,
    "roll-out": roll_out,
    "IPVS": in_other_mode,
    "nftables": in_nftables_mode,
    "truncated": truncated,
    "old iptables": saved_by_old,
    "no hook": unhooked,
    "counters": counted,
    "long ago": long_ago,
    "no dump": no_dump,
    "empty file": empty_file,
    "settings": set_otherwise,
    "weighted": weighted,
    "host port": without_host_port,
}
"""Every trouble, and what looks like one and is none."""
