"""From a path, a bundle or standard input to its dumps: each with its node, its time and its number."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from iptviz.checks.wording import text as text_of
from iptviz.errors import DumpError
from iptviz.node.load import holds_dump, load, load_all, load_node
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iptviz.source.origin import DumpLike

HTTPD = (FIXTURES / "httpd-service" / "dump.rules").read_bytes()
HTTPD6 = (FIXTURES / "httpd-dual-stack" / "dump6.rules").read_bytes()
LISTING = b"""\
Chain PREROUTING (policy ACCEPT 12 packets, 34K bytes)
 pkts bytes target     prot opt in     out     source               destination
  100  6000 KUBE-SERVICES  all  --  *      *       0.0.0.0/0            0.0.0.0/0

Chain KUBE-SERVICES (1 references)
 pkts bytes target     prot opt in     out     source               destination
    0     0 KUBE-SVC-A  tcp  --  *      *       0.0.0.0/0            10.96.0.1            tcp dpt:443
"""
WHEN = 1_731_400_000  # 2024-11-12 08:26:40 UTC
SOS = "sosreport-{}-2024-11-12-abcdef/sos_commands/firewall_tables/{}"


def tar(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), WHEN
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 11, 12, 8, 26, 40)), data)
    return file.getvalue()


NODES = {
    SOS.format("node1", "iptables_-t_nat_-nvL"): LISTING,
    SOS.format("node1", "ip6tables_-t_nat_-nvL"): LISTING.replace(b"0.0.0.0/0", b"::/0").replace(b"10.96.0.1", b"fd00::1"),
    SOS.format("node2.example.org", "iptables-save"): HTTPD,
    "sosreport-node1-2024-11-12-abcdef/etc/hosts": b"127.0.0.1 localhost\n",
    "sosreport-node1-2024-11-12-abcdef/var/log/messages": b"kernel: iptables -A INPUT\n" * 100,
}  # fmt: skip

# --- one dump, in whatever it is packed ---------------------------------------------------------------------

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "gzip twice": lambda data: gzip.compress(gzip.compress(data)),
    "two streams": lambda data: gzip.compress(data[:500]) + gzip.compress(data[500:]),
    "tar": lambda data: tar({"a/dump.txt": data, "a/other.txt": b"hello\n"}, "w"),
    "tar.gz": lambda data: tar({"a/dump.txt": data, "a/other.txt": b"hello\n"}),
    "tar.xz": lambda data: tar({"a/dump.txt": data}, "w:xz"),
    "zip": lambda data: zipped({"a/dump.txt": data, "b": b"hello\n"}),
    "gzip in tar": lambda data: tar({"dump.txt.gz": gzip.compress(data)}, "w"),
    "tar.gz in zip": lambda data: zipped({"node.tar.gz": tar({"dump.txt": data})}),
}


@pytest.mark.parametrize("how", PACKED)
@pytest.mark.parametrize("way", ["path", "string", "bytes", "file", "stdin"])
def test_a_dump_is_read_however_it_is_packed(
    how: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = PACKED[how](HTTPD)
    path = tmp_path / "dump.bin"  # the name tells nothing: the content does
    path.write_bytes(packed)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed)))
    origins: dict[str, DumpLike] = {
        "path": path,
        "string": str(path),
        "bytes": packed,
        "file": io.BytesIO(packed),
        "stdin": "-",
    }
    dump = load(origins[way])
    assert bytes(dump) == HTTPD
    assert (dump.number, dump.siblings, dump.damage) == (1, 0, "")
    assert dump.complete


# --- bundles ------------------------------------------------------------------------------------------------


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "sos.tar.gz"
    path.write_bytes(tar(NODES))
    return path


def test_every_dump_of_a_bundle_is_found_with_its_node_and_time(bundle: Path) -> None:
    dumps, problem = load_all(bundle)
    assert problem is None
    assert [(one.number, one.siblings, one.origin.inside, one.node, one.family, one.form) for one in dumps] == [
        (1, 2, SOS.format("node1", "iptables_-t_nat_-nvL"), "node1", "ipv4", "iptables -L"),
        (2, 2, SOS.format("node1", "ip6tables_-t_nat_-nvL"), "node1", "ipv6", "iptables -L"),
        (3, 2, SOS.format("node2.example.org", "iptables-save"), "node2.example.org", "ipv4", "iptables-save"),
    ]  # fmt: skip
    assert [one.time for one in dumps] == [
        "2024-11-12 08:26:40 UTC", "2024-11-12 08:26:40 UTC", "Mon Nov 23 12:00:00 2026",
    ]  # fmt: skip
    assert [list(one.tables) for one in dumps] == [["nat"], ["nat"], ["nat", "filter"]]
    assert [one.source for one in dumps] == [f"{bundle}:{one.origin.inside}" for one in dumps]


def test_of_two_nodes_one_must_be_named(bundle: Path) -> None:
    with pytest.raises(DumpError, match="contains dumps of 2 nodes: node1, node2"):
        load(bundle)
    assert load_node(bundle, node="node2.example.org").dump.number == 3


def test_the_name_of_a_file_tells_table_and_family_of_a_listing(bundle: Path) -> None:
    raw = load_all(tar({SOS.format("n", "iptables_-t_mangle_-nvL"): LISTING}))[0]
    assert [list(one.tables) for one in raw] == [["mangle"]]
    assert load(bundle, family="ipv6", number=2).family == "ipv6"


def test_a_bundle_without_dumps_says_so() -> None:
    with pytest.raises(DumpError, match="no iptables rules found in its files"):
        load(tar({"a": b"hello\n", "b": b"iptables -A INPUT\n"}))


RULES = "*nat\n:KUBE-SVC-A - [0:0]\n-A KUBE-SVC-A -j KUBE-SEP-B\nCOMMIT\n"


def test_a_bundle_without_dumps_may_hold_one_in_another_form() -> None:
    of_ansible = json.dumps({"stdout": RULES}).encode()
    read = load(tar({"a.json": of_ansible, "b": b"hello\n"}))
    assert (list(read.tables), read.origin.inside) == (["nat"], "a.json")
    chain = b"Chain KUBE-SVC-A (1 references)\ntarget     prot opt source     destination\n"
    row = b"KUBE-SEP-B  all  --  0.0.0.0/0  0.0.0.0/0\n"
    assert load(tar({"svc.txt": chain + row})).rule_count == 1


def test_beside_a_dump_what_has_another_form_is_none() -> None:
    of_ansible = json.dumps({"stdout": RULES.replace("SEP-B", "SEP-C")}).encode()
    assert load(tar({"a.json": of_ansible, "b": RULES.encode()})).origin.inside == "b"


def test_single_chains_of_two_nodes_are_not_joined() -> None:
    texts = [
        f"Chain KUBE-{name} (1 references)\ntarget prot opt source destination\nKUBE-SEP-B  all  --  0.0.0.0/0  0.0.0.0/0\n"
        for name in ("SVC-A", "SVC-B")
    ]
    with pytest.raises(DumpError, match="dumps of 2 nodes"):
        load_node(tar({f"n{at}/nat.txt": text.encode() for at, text in enumerate(texts)}))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        (HTTPD, True), (LISTING, True), (b"-P INPUT ACCEPT\n", True), (b"x\n*nat\n", True),
        (b"hello\n", False), (b"", False), (b"iptables -A INPUT\n", False), (b"x *nat\n", False),
    ],
)  # fmt: skip
def test_a_text_of_a_bundle_is_looked_at_quickly(text: bytes, holds: bool) -> None:
    assert holds_dump(text) is holds


# --- BUNDLE:path/inside -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inside", [SOS.format("node1", "iptables_-t_nat_-nvL"), "firewall_tables/iptables-save"]
)
def test_a_path_inside_names_one_file(inside: str, bundle: Path) -> None:
    dump = load(f"{bundle}:{inside}")
    assert dump.origin.inside.endswith(inside)
    assert (dump.number, dump.siblings) == (1, 0)


@pytest.mark.parametrize(
    ("inside", "what"),
    [
        ("none", "no file named none in it"),
        ("hosts-", "no file named hosts- in it"),
        ("iptables", "no file named iptables in it"),
    ],
)
def test_a_path_that_is_not_inside_leads_to_the_list(inside: str, what: str, bundle: Path) -> None:
    with pytest.raises(DumpError) as caught:
        load(f"{bundle}:{inside}")
    assert (caught.value.where, caught.value.what) == (str(bundle), what)
    assert caught.value.hint == f"list its files: iptviz sources {bundle}"


def test_a_path_that_two_files_end_with_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.tar"
    path.write_bytes(tar({"a/dump": HTTPD, "b/dump": HTTPD6}))
    with pytest.raises(DumpError, match="contains 2 files named dump"):
        load(f"{path}:dump")
    assert load(f"{path}:b/dump").family == "ipv6"


def test_a_file_with_a_colon_in_its_name_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a:b"
    path.write_bytes(HTTPD)
    assert bytes(load(path)) == HTTPD


# --- limits and damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("packed", "what"),
    [(HTTPD, "larger than 1000 bytes"), (gzip.compress(HTTPD), "unpacks to more than 1000 bytes"),
     (tar({"a": HTTPD}, "w"), "unpacks to more than 1000 bytes")],
)  # fmt: skip
def test_more_than_the_limit_is_not_read(packed: bytes, what: str) -> None:
    with pytest.raises(DumpError) as caught:
        load(packed, max_size=1000)
    assert caught.value.what == what
    assert "--max-size" in caught.value.hint


def test_the_limit_itself_may_be_reached() -> None:
    assert load(HTTPD, max_size=len(HTTPD)).rule_count


def test_a_bomb_is_stopped_at_the_limit() -> None:
    with pytest.raises(DumpError, match="unpacks to more than 1 MiB"):
        load(gzip.compress(b"*nat\n" + bytes(1 << 24)), max_size=1 << 20)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_a_cut_file_still_holds_is_read_and_said_to_be_cut(pack: Callable[[bytes], bytes]) -> None:
    text = HTTPD * 30
    packed = pack(text + bytes(range(256)) * 4000)
    try:
        dump = load_all(packed[: len(packed) - 20])[0][0]
    except DumpError as error:
        assert "ends too early" in error.what  # bzip2 gives nothing before its first block is whole
        return
    assert "too early" in dump.damage
    assert dump.damage in [text_of(gap) for gap in dump.gaps]
    assert not dump.complete


def test_a_wrong_checksum_is_said() -> None:
    packed = bytearray(gzip.compress(HTTPD))
    packed[-8] ^= 1
    dump = load(bytes(packed))
    assert bytes(dump) == HTTPD
    assert dump.damage == "the checksum does not match: this file is not what was packed"
    assert not dump.complete


def test_the_dumps_before_the_damage_of_a_bundle_are_kept_with_the_problem() -> None:
    whole = tar({"a": HTTPD, "b": HTTPD6 * 3}, "w")
    dumps, problem = load_all(whole[: 512 + len(HTTPD) + 1024])
    assert bytes(dumps[0]) == HTTPD
    assert problem is not None
    chosen = load_node(whole[: 512 + len(HTTPD) + 1024], number=1)
    assert [str(one) for one in chosen.problems] == [str(problem)]


def test_a_bundle_that_is_damaged_before_any_dump_is_an_error() -> None:
    with pytest.raises(DumpError):
        load(gzip.compress(b"hello")[:12])


# --- nodes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "node"),
    [
        (SOS.format("node1", "x"), "node1"),
        (SOS.format("ip-10-0-0-1.ec2.internal", "x"), "ip-10-0-0-1.ec2.internal"),
        ("sosreport-node1-0123456-2024-11-12-abcdef/x", "node1"),
        ("must-gather/nodes/worker-0.example/network_logs/iptables", "worker-0.example"),
        ("cilium-bugtool-cilium-x2x4-20241112-101112.123-UTC-1/cmd/iptables-save", "cilium-x2x4"),
        ("eks_i-0123456789abcdef0_2024-11-12_1011-UTC_0.7.8/networking/iptables-save.txt", "i-0123456789abcdef0"),
        ("some/other/path", None),
    ],
)  # fmt: skip
def test_a_path_in_a_bundle_names_the_node(path: str, node: str | None) -> None:
    assert load(tar({path: HTTPD})).node == node


@pytest.mark.parametrize(
    ("prompt", "node"),
    [
        ("root@node-1:~# iptables-save", "node-1"),
        ("[root@node-1 ~]# iptables-save", "node-1"),
        ("> root@node-1:~# iptables-save", "node-1"),
        ("core@ip-10-0-0-1.ec2.internal:~$ sudo iptables-save", "ip-10-0-0-1.ec2.internal"),
        ("$ iptables-save", None),
    ],
)
def test_a_prompt_above_a_dump_names_the_node(prompt: str, node: str | None) -> None:
    assert load(prompt.encode() + b"\n" + HTTPD).node == node


def test_a_gzip_file_tells_when_it_was_written() -> None:
    bare = b"".join(line for line in HTTPD.splitlines(keepends=True) if not line.startswith(b"#"))
    assert load(gzip.compress(bare, mtime=WHEN)).time == "2024-11-12 08:26:40 UTC"
    assert load(gzip.compress(bare, mtime=0)).time is None
    assert load(gzip.compress(HTTPD, mtime=WHEN)).time == "Mon Nov 23 12:00:00 2026"
