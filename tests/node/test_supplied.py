"""What is supplied beside a dump: `BUNDLE:path`, a file whose first line is its command, a list above a save."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from iptviz.cli.app import app
from iptviz.ipset.saved import read_ipsets
from tests.conftest import FIXTURES
from tests.node import texts
from tests.node.layouts import LAYOUTS, Bundle, write

if TYPE_CHECKING:
    from pathlib import Path

DUMP = str(FIXTURES / "httpd-nft/dump.rules")
BLOCKED = (
    b"*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n"
    b"-A FORWARD -m set --match-set pods-here src -j DROP\nCOMMIT\n"
)
PACKET = ("--src", "10.244.1.9", "--dst", "10.97.13.198", "--protocol", "tcp", "--dport", "79", "--mark", "0")


def asked(*arguments: str) -> Any:
    """Return the document of `iptviz packet`."""
    done = CliRunner().invoke(app, ["packet", "--json", *arguments])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def conditions(document: Any) -> set[str]:
    return {need["kind"] for outcome in document["outcomes"] for need in outcome["when"]}


def routes(document: Any) -> set[str]:
    return {outcome["route"] for outcome in document["outcomes"]}


def file(folder: Path, text: bytes) -> str:
    (folder / "evidence.txt").write_bytes(text)
    return str(folder / "evidence.txt")


def test_without_addresses_it_is_open_whether_an_endpoint_is_local() -> None:
    assert conditions(asked(DUMP, *PACKET)) == {"endpoint-local"}


@pytest.mark.parametrize("layout", ["sos_new", "calico_node", "aks", "cilium_bugtool_in_markdown"])
def test_addresses_stand_in_a_bundle(layout: str, tmp_path: Path) -> None:
    path = write(LAYOUTS[layout](), tmp_path)
    inside = {
        "sos_new": "networking/ip_-d_address",
        "calico_node": "ipv4_addr",
        "aks": "ip_4_addr.json",
        "cilium_bugtool_in_markdown": "ip-a.md",
    }
    document = asked(DUMP, *PACKET, "--addresses", f"{path}:{inside[layout]}")
    assert conditions(document) == set()
    assert routes(document) == {"FORWARD"}


@pytest.mark.parametrize("command", ["", "ip a\n", "$ ip -4 addr\n", "root@node-1:~# ip addr show\n"])
def test_a_command_may_stand_above_addresses(command: str, tmp_path: Path) -> None:
    path = file(tmp_path, command.encode() + texts.ADDRESSES)
    assert conditions(asked(DUMP, *PACKET, "--addresses", path)) == set()


@pytest.mark.parametrize("command", ["", "ip route show\n", "# ip r\n"])
def test_a_command_may_stand_above_routes(command: str, tmp_path: Path) -> None:
    dump = tmp_path / "dump.rules"
    dump.write_bytes(BLOCKED.replace(b"-m set --match-set pods-here src", b"-o cni0"))
    about = ("--src", "192.0.2.1", "--dst", "10.244.1.17", "--local-ip", "10.0.0.1")
    document = asked(str(dump), *about, "--routes", file(tmp_path, command.encode() + texts.ALL_ROUTES))
    assert [(outcome["verdict"], outcome["when"]) for outcome in document["outcomes"]] == [("DROP", [])]


def test_one_file_may_hold_several_kinds(tmp_path: Path) -> None:
    path = file(tmp_path, b"# ip a\n" + texts.ADDRESSES + b"# ip r\n" + texts.MAIN_ROUTES)
    assert conditions(asked(DUMP, *PACKET, "--addresses", path, "--routes", path)) == set()


@pytest.mark.parametrize(
    "text",
    [
        texts.IPSET_SAVE,
        b"ipset list\n" + texts.IPSET_LIST,
        texts.IPSET_LIST + b"\n" + texts.IPSET_SAVE,
        texts.IPSET_SAVE + texts.IPSET_LIST,
        b"# ipset list\n" + texts.IPSET_LIST + b"# ipset save\n" + texts.IPSET_SAVE,
    ],
)
def test_sets_are_listed_or_saved_or_both(text: bytes, tmp_path: Path) -> None:
    dump = tmp_path / "dump.rules"
    dump.write_bytes(BLOCKED)
    document = asked(
        str(dump), "--src", "10.244.1.9", "--dst", "192.0.2.1", "--local-ip", "10.0.0.1",
        "--ipset", file(tmp_path, text),
    )  # fmt: skip
    assert [(outcome["verdict"], outcome["when"]) for outcome in document["outcomes"]] == [("DROP", [])]


def test_a_set_that_is_saved_goes_before_the_same_one_listed() -> None:
    saved = texts.IPSET_SAVE.decode().replace("10.244.1.0/24", "10.244.7.0/24")
    for text in (texts.IPSET_LIST.decode() + saved, saved + texts.IPSET_LIST.decode()):
        assert read_ipsets(text, "sets").keys() == {"pods-here"}


def test_an_error_text_is_no_evidence(tmp_path: Path) -> None:
    errors = {
        "nodes/node-1/ip-addr.txt": texts.OLD_IP,
        "nodes/node-1/ip-route.txt": b"Error: ipv4: FIB table does not exist.\nDump terminated\n",
        "nodes/node-1/ip-rule.txt": b"sh: ip: command not found\n",
        "nodes/node-1/ipset-list.txt": b"ipset v7.11: Kernel error received: Operation not permitted\n",
        "nodes/node-1/sysctl.txt": b"sysctl: permission denied on key 'net.ipv4.tcp_fastopen_key'\n",
        "nodes/node-1/nft-ruleset.txt": b"Operation not permitted (you must be root)\n",
    }
    path = write(Bundle("diags.tar.gz", {**errors, "nodes/node-1/iptables-save.txt": texts.NFT}), tmp_path)
    done = CliRunner().invoke(app, ["sources", "--json", path])
    (listing,) = json.loads(done.stdout)["evidence"]
    assert (listing["kind"], listing["used"]) == ("nft", False)
    assert conditions(asked(path, *PACKET)) == {"endpoint-local"}


def test_evidence_that_is_damaged_is_named_and_not_used(tmp_path: Path) -> None:
    damaged = {
        "iptables-save.txt": texts.NFT,
        "ip-addr.txt": texts.ADDRESSES.replace(b"127.0.0.1", b"127.0.0.999"),
    }
    document = asked(write(Bundle("diags.tar.gz", damaged), tmp_path), *PACKET)
    assert conditions(document) == {"endpoint-local"}
    assert any(
        'ip-addr.txt:3: invalid address/prefix length "127.0.0.999/8"' in note for note in document["notes"]
    )
