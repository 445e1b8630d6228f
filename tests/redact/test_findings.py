"""What is found in a dump is found in its pseudonyms: the same ids, as severe, as often."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.redact.dump import Redactor
from iptviz.redact.named import Named
from iptviz.redact.secrets import Secrets
from iptviz.redact.snapshot import hidden, texts_beside
from iptviz.redact.translate import translated
from iptviz.supplied.files import Supplied
from tests.conftest import FIXTURES, SHARED, part_of

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.node.snapshot import Snapshot

KEY = bytes(range(32))
BESIDE = {
    "addresses": Named.ADDRESS_FILE,
    "routes": Named.ROUTE_FILE,
    "ipset": Named.IPSET_FILE,
    "recent": Named.RECENT_FILE,
    "sysctl": Named.SYSCTL_FILE,
}
FIXED = sorted(path for kind in ("fault", "near") for path in FIXTURES.glob(f"checks/*/{kind}*.rules"))
CASES = sorted(
    path
    for folder in ("cases/cni", "cases/deep", "cases/exact", "cases/meet", "cases/reports", "cases/wild")
    for path in (SHARED.parent / folder).rglob("*")
    if path.suffix in {".rules", ".txt"} and path.name != "redact-glued.rules"
)
"""In the one that is left out, options and values are glued, and in pseudonyms they are not."""
OF_FORM = {"lossy-listing", "table-guessed"}
PARTIAL = ("partial-dump", "medium", "certain")
REAL = sorted(SHARED.glob("kubernetes/*.rules"))


OF_LISTINGS = {"nft-listing-empty", "nft-table-flushed", "nft-skeleton-only", "nft-elements-hidden"}
"""What listings of nft show, of which there are pseudonyms of the tables' names alone."""


def label(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def counted(node: Snapshot, beside: dict[str, str | Supplied]) -> Counter[tuple[str, str, str]]:
    found = iptviz.check(node, **beside).findings
    return Counter((one.id, one.severity, one.certainty) for one in found if one.id not in OF_LISTINGS)


def files_beside(path: Path) -> dict[str, Path]:
    return {kind: file for kind in BESIDE if (file := path.with_suffix(f".{kind}")).is_file()}


def compare(path: Path) -> None:
    """Check a dump with all that lies beside it, and both in pseudonyms, as `iptviz check --redact` does."""
    try:
        node = iptviz.load_node(*[str(file) for file in (path, path.with_suffix(".nft")) if file.is_file()])
    except iptviz.DumpError:
        pytest.skip("no dump")
    beside = {kind: Supplied(file.read_text(), str(file)) for kind, file in files_beside(path).items()}
    texts = [*(file.text for file in beside.values()), *texts_beside(node)]
    redactor = Redactor(node.dump, Secrets(KEY), beside=texts)
    shown = hidden(node, redactor, redactor.text(form_told=True))
    files = {kind: translated(redactor, BESIDE[kind], file) for kind, file in beside.items()}
    plain = {kind: str(file) for kind, file in files_beside(path).items()}
    assert counted(shown, files) == counted(node, {**plain})


@pytest.mark.parametrize("path", part_of(FIXED, 6), ids=label)
def test_what_is_found_is_found_in_pseudonyms(path: Path) -> None:
    compare(path)


@pytest.mark.parametrize("path", part_of([*CASES, *REAL], 9), ids=label)
def test_what_is_found_in_the_field_is_found_in_pseudonyms(path: Path) -> None:
    compare(path)


@pytest.mark.parametrize(
    "path",
    [path for path in part_of(FIXED, 6) if not files_beside(path) and not path.with_suffix(".nft").is_file()],
    ids=label,
)
def test_what_is_found_is_found_in_the_text_of_pseudonyms(path: Path) -> None:
    """A dump that somebody else gets: of the form of the original it tells that something may be missing."""
    node = iptviz.load_node(str(path))
    if len(node.dumps) > 1:
        pytest.skip("iptviz redact takes one dump")
    text = Redactor(node.dump, Secrets(KEY)).text()
    found, before = counted(iptviz.load_node(text.encode()), {}), counted(node, {})
    assert PARTIAL in found or not OF_FORM & {what for what, _, _ in before}
    if "lossy-listing" in {what for what, _, _ in before}:
        return  # of which some checks ask nothing
    if "table-guessed" in {what for what, _, _ in before}:
        found, before = (
            Counter({key: one[key] for key in one if key[0] not in OF_FORM and key != PARTIAL})
            for one in (found, before)
        )
    assert found == before


PUBLIC = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:cali-tw-cali12ab34cd56e - [0:0]
-A INPUT -i {interface} -j ACCEPT
-A INPUT -m set --match-set {set} src -j ACCEPT
-A FORWARD -o cali12ab34cd56e -g cali-tw-cali12ab34cd56e
COMMIT
"""


def shown(interface: str = "eth0", name: str = "KUBE-CLUSTER-IP", more: str = "") -> str:
    text = PUBLIC.format(interface=interface, set=name).replace("COMMIT", f"{more}COMMIT")
    return Redactor(iptviz.load(text.encode()), Secrets(KEY)).text()


@pytest.mark.parametrize(
    "name", ["eth0", "lo", "cni0", "docker0", "cali+", "weave", "c+", "flannel.1", "br0", "+", "bond12"]
)
def test_what_programs_call_interfaces_stays(name: str) -> None:
    assert f"-i {name} " in shown(name)


@pytest.mark.parametrize(
    ("name", "begin"),
    [("cali7facf2bb570", "cali"), ("br-acme7", "br-"), ("enp3s0", "en"), ("veth12ab", "veth"), ("eth1.152", "eth"),
     ("bond1234", "bond"), ("acme0", "i"), ("uplink7", "i"), ("acme+", "i")],
)  # fmt: skip
def test_what_follows_a_programs_word_is_hidden(name: str, begin: str) -> None:
    (found,) = re.findall(r"INPUT -i (\S+) ", shown(name))
    assert found.startswith(begin)
    assert found != name
    assert name.removeprefix(begin).rstrip("+") not in found


def test_wildcards_hold_what_they_held() -> None:
    names = ("cali1", "cali+", "c+", "cup", "acme1", "acme+", "ac+", "ens+", "ens192", "en+")
    text = shown(more="".join(f"-A FORWARD -i {name} -j ACCEPT\n" for name in names))
    found = dict(zip(names, re.findall(r"FORWARD -i (\S+) ", text), strict=True))
    for wild in (name for name in names if name.endswith("+")):
        for name in names:
            inside = name.startswith(wild[:-1])
            assert found[name].startswith(found[wild][:-1]) == inside, (wild, name)


def test_a_chain_of_calicos_is_called_like_its_interface() -> None:
    text = shown()
    (interface, chain) = re.findall(r"-o (\S+) -g (\S+)", text)[0]
    assert chain == f"cali-tw-{interface}"
    assert "12ab34cd56e" not in text


@pytest.mark.parametrize(
    "name", ["KUBE-CLUSTER-IP", "KUBE-6-LOAD-BALANCER-SOURCE-CID", "cali40all-ipam-pools"]
)
def test_sets_of_programs_keep_their_names(name: str) -> None:
    assert f"--match-set {name} src" in shown(name=name)


@pytest.mark.parametrize(
    ("name", "begin"),
    [("KUBE-ACME", "KUBE-"), ("KUBE-SRC-ACME", "KUBE-SRC-"), ("weave-acme", "weave-"), ("acme", "set-")],
)
def test_sets_of_others_do_not(name: str, begin: str) -> None:
    text = shown(name=name)
    assert f"--match-set {begin}" in text
    assert "acme" not in text.lower()


def test_warnings_stand_where_they_stood() -> None:
    lines = (
        "# Warning: iptables-legacy tables present, use iptables-legacy-save to see them",
        "# Generated by iptables-save v1.8.9 (nf_tables) on Mon Nov 23 12:00:00 2026",
        "# Table `nat' is incompatible, use 'nft' tool.",
        "# Table `acme' contains incompatible base-chains, use 'nft' tool to list them.",
        "*filter", ":INPUT ACCEPT [0:0]", "COMMIT",
    )  # fmt: skip
    text = Redactor(iptviz.load("\n".join(lines).encode() + b"\n"), Secrets(KEY)).text()
    assert text.splitlines() == [line.replace("acme", "") for line in lines]


@pytest.mark.parametrize(
    "rule", ["-j DNAT [unsupported revision]", "-m connlimit [unsupported revision] -j DROP", "-j DNAT --to-destination :0 --persistent",
             "-j DNAT --to-destination  --random --to-destination 0.0.0.0:0", "-d 169.254.20.10/32 -j CT --notrack"],
)  # fmt: skip
def test_what_iptables_could_not_print_stays(rule: str) -> None:
    text = f"*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING {rule}\nCOMMIT\n"
    assert Redactor(iptviz.load(text.encode()), Secrets(KEY)).text() == text
