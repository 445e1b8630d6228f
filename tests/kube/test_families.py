"""Families of chains: each row says something, each place that knows chains' names asks the table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.kube import families, plain_chains
from iptviz.kube.families import (
    FAMILIES,
    KUBE_PROXY,
    Family,
    Writer,
    beginning_of,
    family_of,
    names,
    written_by,
)
from iptviz.kube.frontends import FRONTEND_KINDS
from iptviz.kube.marks import Marks
from iptviz.kube.published import published_ports
from iptviz.kube.releases import NEWEST
from iptviz.redact.names import Names
from iptviz.redact.secrets import Secrets
from tests import kubeproxy
from tests.conftest import ROOT, SHARED
from tests.kubeproxy.eras import ERAS

if TYPE_CHECKING:
    from pathlib import Path

TABLES = {"raw", "mangle", "nat", "filter", "security"}
ENDS = {
    "service hash": "ABCDEFGHIJKLMNOP",
    "endpoint hash": "ABCDEFGHIJKLMNOP",
    "interface": "secret",
    "name": "secret",
    "any": "secret",
}
EVERY = [
    pytest.param(row, name, id=f"{name}-{row.ends_in or row.tables}")
    for row in FAMILIES
    for name in row.names
]


@pytest.mark.parametrize(("row", "name"), EVERY)
def test_a_chain_of_every_family_is_found_in_its_table(row: Family, name: str) -> None:
    chain = name + ENDS.get(row.ends_in, "")
    for table in row.tables.split():
        assert family_of(chain, table) == row
    assert beginning_of(name + "secret") == name or not row.ends_in


@pytest.mark.parametrize("row", FAMILIES, ids=lambda row: f"{row.name}-{row.ends_in or row.tables}")
def test_a_row_is_whole(row: Family) -> None:
    assert row.names
    assert set(row.tables.split()) <= TABLES
    assert 1 <= len(row.meaning.split()) <= 10
    assert not row.meaning.endswith(".")
    assert row.frontend in {"", *FRONTEND_KINDS}
    assert 0 <= row.first <= row.last <= NEWEST
    assert row.releases
    assert len(row.name) <= 28 or "{" in row.name  # the kernel's limit
    assert bool(row.bits) <= row.role.startswith("mark to ")


def test_no_two_rows_are_of_one_name_and_table() -> None:
    claimed = [
        (name, bool(row.ends_in), table)
        for row in FAMILIES
        for name in row.names
        for table in row.tables.split()
    ]
    assert len(claimed) == len(set(claimed))


@pytest.mark.parametrize(
    ("chain", "table", "name"),
    [
        ("KUBE-NODEPORTS", "nat", "KUBE-NODEPORTS"),
        ("KUBE-NODEPORT-HOST", "nat", "KUBE-NODEPORT-{CONTAINER,HOST}"),
        ("KUBE-NODE-PORT", "filter", "KUBE-NODE-PORT"),
        ("CNI-DN-0123456789abcdef01234", "nat", "CNI-{DN,SN}-"),
        ("CNI-0123456789abcdef01234567", "nat", "CNI-"),
        ("KUBE-NWPLCY-COMMON-A", "filter", "KUBE-NWPLCY-{,COMMON-}"),
        ("DOCKER", "nat", "DOCKER"),
    ],
)
def test_the_longest_name_counts(chain: str, table: str, name: str) -> None:
    found = family_of(chain, table)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize("chain", ["", "KUBE-", "KUBE", "ACCEPT-acme", "SERVICES", "kube-svc-x"])
def test_other_chains_are_of_no_family(chain: str) -> None:
    assert family_of(chain) is None
    assert beginning_of(chain) == ""


def test_one_name_has_a_meaning_of_its_own_in_each_table() -> None:
    roles = {
        (name, table): family_of(name, table)
        for name in ("KUBE-SERVICES", "KUBE-NODEPORTS")
        for table in ("nat", "filter")
    }
    assert {key: row.role for key, row in roles.items() if row} == {
        ("KUBE-SERVICES", "nat"): "dispatch", ("KUBE-SERVICES", "filter"): "refusal",
        ("KUBE-NODEPORTS", "nat"): "dispatch", ("KUBE-NODEPORTS", "filter"): "health checks",
    }  # fmt: skip


def test_the_roles_of_kube_proxys_chains_decide() -> None:
    assert families.SERVICE_CHAINS == ("KUBE-SVC-", "KUBE-SVL-", "KUBE-XLB-")
    assert families.LOCAL_CHAINS == ("KUBE-SVL-", "KUBE-XLB-")
    assert families.ENTRY_CHAINS == ("KUBE-EXT-", "KUBE-FW-")
    assert names("endpoint") == (families.ENDPOINT_CHAIN,)
    assert set(families.HASHED_CHAINS) == {*families.SERVICE_CHAINS, *families.ENTRY_CHAINS}
    assert families.DISPATCHERS == {
        "nat": ("KUBE-SERVICES", "KUBE-NODEPORTS"),
        "filter": ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-PROXY-FIREWALL"),
    }
    assert set(names("canary", table="filter")) == {"KUBE-PROXY-CANARY"}


# --- every chain that is written is of some family -----------------------------------------------------------


def chains_of(text: str) -> set[tuple[str, str]]:
    return {
        (name, chain)
        for name, table in iptviz.load(text.encode()).tables.items()
        for chain in table.chain_names()
    }


FIXTURES = sorted(ROOT.glob("fixtures/*/dump*"))


@pytest.mark.parametrize("path", FIXTURES, ids=[f"{path.parent.name}-{path.name}" for path in FIXTURES])
def test_every_chain_of_a_fixture_is_of_some_family(path: Path) -> None:
    dumps, _ = iptviz.load_all(str(path))
    found = {
        (name, chain)
        for dump in dumps
        for name, table in dump.tables.items()
        for chain in table.chain_names()
    }
    assert found
    assert [
        chain
        for table, chain in found
        if (row := family_of(chain, table)) is None or table not in row.tables.split()
    ] == []


@pytest.mark.parametrize("era", ERAS)
def test_every_chain_of_a_release_is_of_kube_proxy_and_kubelet_then(era: str) -> None:
    minor = int(era.removeprefix("1."))
    options = {
        "external_ips": ("192.0.2.1",),
        "load_balancer_ips": ("203.0.113.1",),
        "source_ranges": ("10.0.0.0/8",),
    }
    cluster = kubeproxy.numbered(2, 3, era=era, local_only=True, local=1, **options)  # type: ignore[arg-type]
    for table, chain in chains_of(kubeproxy.saved(cluster)):
        row = family_of(chain, table)
        assert row is not None, chain
        assert row.writer in {KUBE_PROXY, families.KUBELET, families.KERNEL}
        assert row.first <= minor <= row.last, f"{chain} in 1.{minor}"


# What hands and firewalls of homes and routers call their own chains, in what people published.
_OWN = re.compile(
    r"zone_\S+|(?:input|output|forwarding|prerouting|postrouting)(?:_\w+)?|nat_\w+|filter_\w+|forward|reject|lan|"
    r"(?:icvpn|mesh|uplink|peering|wan|bat|fwd|net|loc|ndp)[-_]\S+|v\+_in|dynamic|log\w+|tcpflags|override|syn_flood|"
    r"BasicSvc|CUSTOM|DOS~Pro-t_ect|DROP-log|DUMP|FromInternalF|IPSEC_42|LOG_RECENT_DROP|MYNET|PError|SITE-ADMIN|"
    r"SSHLimit|SSH_CHECK|STATEFUL|Terminal"
)
_DECLARED = re.compile(rb"^:(\S+) (?:-|[A-Z]+)|^-N (\S+)|^Chain (\S+) \(", re.MULTILINE)
_LARGE = 1 << 20


@pytest.mark.skipif(not SHARED.exists(), reason="the collection is not here")
def test_every_chain_of_the_collection_is_of_some_family_or_somebodys_own() -> None:
    files = (path for path in sorted(SHARED.rglob("*.rules")) if path.stat().st_size < _LARGE)
    declared = {
        b"".join(found).decode(errors="replace")
        for path in files
        for found in _DECLARED.findall(path.read_bytes())
    }
    assert declared
    assert [name for name in sorted(declared) if family_of(name) is None and not _OWN.fullmatch(name)] == []


# --- what is made of the table --------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [row for row in FAMILIES if row.bits], ids=lambda row: row.name)
def test_default_bits_are_those_of_the_marking_chains(row: Family) -> None:
    dump = iptviz.load(f"*nat\n-A TEST -j MARK --set-xmark {row.bits:#x}/{row.bits:#x}\nCOMMIT\n".encode())
    (rule,) = dump.tables["nat"].rules_of("TEST")
    marks = Marks(None)
    assert (marks.masquerades(rule), marks.drops(rule)) == (
        row.role == "mark to masquerade",
        row.role == "mark to drop",
    )


@pytest.mark.parametrize(
    ("row", "name"), [(row, name) for row in FAMILIES if "nat" in row.tables.split() for name in row.names]
)
def test_who_publishes_a_port_is_the_chains_writer(row: Family, name: str) -> None:
    chain = name + ENDS.get(row.ends_in, "")
    dump = iptviz.load(
        f"*nat\n-A {chain} -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.1\nCOMMIT\n".encode()
    )
    found = [port.by for port in published_ports(dump)]
    own = row.role in {"balancing", "local balancing", "endpoint"}
    assert found == ([] if own else [row.writer.publisher or chain])


def test_writers_have_all_their_chains() -> None:
    assert written_by(families.DOCKERSHIM) == ("KUBE-HOSTPORTS", "KUBE-HP-")
    assert written_by(families.USERSPACE) == (
        "KUBE-PORTALS-CONTAINER", "KUBE-PORTALS-HOST", "KUBE-NODEPORT-CONTAINER", "KUBE-NODEPORT-HOST",
        "KUBE-NODEPORT-NON-LOCAL",
    )  # fmt: skip
    assert written_by(Writer("nobody")) == ()


@pytest.mark.parametrize(("row", "name"), EVERY)
def test_pseudonyms_keep_what_everybody_has_and_nothing_else(row: Family, name: str) -> None:
    chain = name + ENDS.get(row.ends_in, "")
    pseudonyms = Names(iptviz.load(b"*nat\nCOMMIT\n"), Secrets(b"key"))
    shown = pseudonyms.chain(chain)
    assert (shown == chain) == (not row.ends_in)
    assert shown.startswith(name)
    assert "secret" not in shown


@pytest.mark.parametrize(
    "row", [row for row in FAMILIES if row.name.startswith("KUBE-")], ids=lambda row: row.name
)
def test_rules_without_their_table_are_put_into_none_where_the_chain_is_not(row: Family) -> None:
    for name in row.names:
        dump = iptviz.load(f"-A {name}{ENDS.get(row.ends_in, '')} -p tcp -j RETURN\n".encode())
        assert set(dump.tables) <= {*row.tables.split(), "filter"}  # filter is for what tells nothing


def test_the_fast_reading_knows_the_chains_of_the_table() -> None:
    pattern = re.compile(plain_chains._LINE)
    read = {
        prefix: pattern.match(f"-A {prefix}ABCDEFGHIJKLMNOP -j SOMETHING".encode())
        for prefix in (*families.HASHED_CHAINS, families.ENDPOINT_CHAIN)
    }
    # KUBE-XLB- and KUBE-FW- are for the engine.
    assert {prefix for prefix, found in read.items() if found} == {
        "KUBE-SVC-",
        "KUBE-SVL-",
        "KUBE-EXT-",
        "KUBE-SEP-",
    }
    literals = set(re.findall(r"KUBE-[A-Z]+(?:-[A-Z]+)?", pattern.pattern.decode()))
    assert {name for name in literals if family_of(name) is None and family_of(f"{name}-") is None} <= {
        "KUBE-SV"
    }
