"""nft itself judges: what it lists of a rule set, in any of its ways, is one model."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import uuid
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.kubeproxy.cluster import Cluster, Service, basics
from tests.nft.random_rules import Maker
from tests.nft.test_listings import without_what_json_lacks
from tests.nft.told import listing, ruleset_of, told
from tests.nftproxy import SHAPES, Node, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("kernel"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft"),
]

OPTIONS = ("-a", "-s", "-n", "-y", "-nn", "-as")


class Nft:
    """nft in a namespace of its own."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *words: str, stdin: str = "") -> str:
        command = ["ip", "netns", "exec", self.name, "nft", *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def load(self, text: str) -> None:
        self.run("-f", "-", stdin=f"flush ruleset\n{text}")


@pytest.fixture(scope="module")
def nft() -> Iterator[Nft]:
    name = f"iptviz-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    with contextlib.ExitStack() as stack:
        stack.callback(subprocess.run, ["ip", "netns", "del", name], check=False)
        yield Nft(name)


def counted_out(said: dict[str, object]) -> str:
    """Leave out the numbers of counters, which -s hides."""
    return re.sub(r"Counter\(packets=\w+, bytes=\w+\)", "Counter()", repr(said))


def check(nft: Nft, text: str, *, again: bool = True) -> None:
    """Load a rule set; all listings of it are one model, and `again`: one of them loads as the same."""
    nft.load(text)
    first = nft.run("list", "ruleset")
    said = told(ruleset_of(first))
    for options in OPTIONS:
        assert counted_out(told(ruleset_of(nft.run(options, "list", "ruleset")))) == counted_out(said), (
            options
        )
    data = nft.run("-j", "list", "ruleset")
    assert without_what_json_lacks(told(ruleset_of(data))) == without_what_json_lacks(said)
    if again:
        nft.load(first)
    assert told(ruleset_of(nft.run("list", "ruleset"))) == said


def test_all_that_nft_can_say_is_one_model_however_it_is_listed(nft: Nft) -> None:
    check(nft, listing("zoo.nft").decode(), again=False)  # a map that rules change is listed with a size


def services(version: int) -> tuple[Service, ...]:
    """Services with every feature, some with endpoints on this node."""

    def ip(number: int) -> str:
        return (
            f"10.244.{number // 100}.{number % 100}"
            if version == 4
            else f"fd00:244:{number // 100}::{number % 100:x}"
        )

    def outside(number: int) -> str:
        return f"203.0.113.{number}" if version == 4 else f"2001:db8::{number:x}"

    def made(name: str, number: int, count: int, **options: object) -> Service:
        cluster_ip = f"10.96.20.{number}" if version == 4 else f"fd00:96::{number:x}"
        pods = tuple((ip(number * 10 + at), 8080) for at in range(count))
        return Service(name, cluster_ip, pods, namespace="shop", **options)  # type: ignore[arg-type]

    ranges = ("198.51.100.0/24", "192.168.0.0/16") if version == 4 else ("2001:db8:1::/48",)
    return (
        made("web", 1, 3, port_name="http", local=1),
        made("front", 2, 2, node_port=30080, external_ips=(outside(5),), load_balancer_ips=(outside(6),)),
        made(
            "api",
            3,
            3,
            node_port=30443,
            load_balancer_ips=(outside(7),),
            local_only=True,
            local=1,
            protocol="udp",
        ),
        made("away", 4, 1, node_port=30700, load_balancer_ips=(outside(8),), local_only=True),
        made("admin", 5, 1, load_balancer_ips=(outside(9),), source_ranges=ranges),
        made("cache", 6, 2, internal_local=True, local=1),
        made("gone", 7, 1, internal_local=True),
        made("empty", 8, 0, node_port=30600, external_ips=(outside(10),)),
        made("sticky", 9, 3, affinity=10800, node_port=30900, local=1),
        made("ngap", 10, 1, protocol="sctp", port=38412),
    )


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("shape", SHAPES)
def test_tables_of_kube_proxy_are_listed_as_they_are_written(nft: Nft, shape: str, version: int) -> None:
    cidr, own = ("10.244.0.0/16", "192.168.1.10") if version == 4 else ("fd00:244::/32", "fd00:1::a")
    cluster = Cluster(services(version), family=version, pod_cidr=cidr, node_ip=own)
    networks = ("10.96.0.0/12",) if version == 4 else ("fd00:96::/112",)
    text = listed(Node(cluster, networks), shape)
    check(nft, text)
    assert told(ruleset_of(nft.run("list", "ruleset"))) == told(ruleset_of(text))


def test_the_basics_of_a_cluster_are_listed_as_they_are_written(nft: Nft) -> None:
    text = listed(Node(Cluster(basics(), detect="prefix")), "1.37")
    nft.load(text)
    assert told(ruleset_of(nft.run("list", "ruleset"))) == told(ruleset_of(text))


def random_rule_set(nft: Nft, random: Random) -> str:
    """Return a rule set that the kernel takes: what it refuses depends on the hooks that lead to a rule."""
    for _ in range(20):
        version = random.choice((4, 6))
        tables = [("ip" if version == 4 else "ip6", "one"), ("inet", "two")]
        text = "\n".join(Maker(random, version).table(family, name) for family, name in tables)
        with contextlib.suppress(AssertionError):
            nft.load(text)
            return text
    raise AssertionError("the kernel takes none")


@pytest.mark.parametrize("seed", range(int(os.environ.get("IPTVIZ_RULE_SETS", "12"))))
def test_random_rule_sets_are_one_model_however_they_are_listed(nft: Nft, seed: int) -> None:
    first = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
    check(nft, random_rule_set(nft, Random(first + seed)))
