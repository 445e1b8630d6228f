"""Hostile and broken input ends in an answer or a clear error, in bounded memory and time.

Each case runs the command line in a process of its own, whose address space is limited to a fixed part, for
Python and the program itself, and a factor of what it has to hold: what --max-size lets in, which is the
file's size in whole megabytes, and less for what unpacks to too much or has no end. (Reading reserves address
space for all that --max-size lets in, 2 GiB by default, though it uses no more than the file takes: so each case
names a limit.) A process that went beyond would fail with "not enough memory", which counts as a failure here.
The factor is that of memory to text: what docs/reference.md says of ordinary input, and of lines that are each
looked at by themselves; less where the case is about text that takes less.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import lzma
import re
import subprocess
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.conftest import ROOT, part_of
from tests.kubeproxy import numbered, saved
from tests.program import unmeasured
from tests.source.packed import header, tar, zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEGABYTE = 1 << 20
OWN = 96 * MEGABYTE
"""What Python, the program and its libraries may take of the address space, whatever they read: twice what they do."""

START = 64 * MEGABYTE
"""The same where the factor is a promise, which twice too much would water down."""

SECONDS = 60
"""Far more than any case takes: only what never ends shall fail, on a slow machine, too."""

FIXTURE = str(ROOT / "fixtures/httpd-service/dump.rules")
COMMANDS = {
    "trace": ("trace", "10.96.0.1"),
    "sources": ("sources",),
    "routes": ("services", FIXTURE, "--routes"),
    "cluster": ("verify", FIXTURE),
}
"""Words that go before the file in question."""

FRONTEND = b"-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j "
BLOCK = 16 * MEGABYTE


class Case(NamedTuple):
    """Pieces of a file, how many times its size may be taken, and what the program must say, by command tried.

    `path` is what is read instead of a file made of pieces.
    """

    pieces: Callable[[], Iterator[bytes]]
    factor: float
    status: dict[str, int]
    says: str = ""
    megabytes: int | None = None
    path: str = ""

    def limit(self, path: Path) -> int:
        """Return --max-size in megabytes: enough for the file, unless the case names another."""
        return self.megabytes or path.stat().st_size // MEGABYTE + 1


def bomb() -> Iterator[bytes]:
    """Ten megabytes of gzip for ten gigabytes of zeros: one block of them, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    yield b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    yield from (block for _ in range(640))


def zeros(compress: Callable[[bytes], bytes]) -> Callable[[], Iterator[bytes]]:
    """Return what makes 640 MB of zeros: streams of one block of them, one behind the other."""

    def pieces() -> Iterator[bytes]:
        block = compress(bytes(BLOCK))
        yield from (block for _ in range(40))

    return pieces


def zeros_in_a_bundle() -> Iterator[bytes]:
    """A file of 320 MB of zeros before a dump, as collectors that know no holes pack /var/log/lastlog."""
    yield gzip.compress(header("lastlog", 20 * BLOCK))
    yield from [gzip.compress(bytes(BLOCK))] * 20
    yield gzip.compress(tar(("dump", Path(FIXTURE).read_bytes())))


def nothing() -> Iterator[bytes]:
    yield b""


def long_line() -> Iterator[bytes]:
    yield b"root@node"  # the beginning of a prompt, which ends nowhere
    yield from (b"x" * MEGABYTE for _ in range(112))


def long_rule() -> Iterator[bytes]:
    yield b"*nat\n" + FRONTEND + b'KUBE-SVC-A -m comment --comment "'
    yield from (b"x y " * (MEGABYTE // 4) for _ in range(24))
    yield b'"\nCOMMIT\n'


def many_chains() -> Iterator[bytes]:
    yield b"*nat\n"
    yield from (b":KUBE-SVC-%016d - [0:0]\n" % number for number in range(300_000))
    yield FRONTEND + b"KUBE-SVC-%016d\nCOMMIT\n" % 5


def many_words() -> Iterator[bytes]:
    yield b"*nat\n:KUBE-SERVICES - [0:0]\n" + FRONTEND + b"X -m comment --comment "
    yield b"--dport=80 -ptcp word --frob " * 1_000 + b"\nCOMMIT\n"


def long_names() -> Iterator[bytes]:
    name = b"KUBE-SVC-" + b"N" * 100_000
    yield b"*nat\n:KUBE-SERVICES - [0:0]\n"
    yield from (b":%s%d - [0:0]\n" % (name, number) for number in range(20))
    yield FRONTEND + b"%s0\n" % name
    yield from (b"-A %s%d -j %s%d\n" % (name, number, name, number + 1) for number in range(19))
    yield b"COMMIT\n"


def noise() -> Iterator[bytes]:
    yield b"*nat\n" + FRONTEND + b'X -m comment --comment "never closed\n'
    yield from (b"line %d is of no kind\n" % number for number in range(80_000))
    yield b"COMMIT\n"


def routes() -> Iterator[bytes]:
    yield from (
        b"10.%d.%d.%d dev cali%d scope link\n" % (*number.to_bytes(3), number) for number in range(100_000)
    )


@functools.cache
def factors() -> dict[str, float]:
    """Return what the reference says of memory: by input or command, how many bytes a byte takes at most."""
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8").partition("\n## Memory\n")[2]
    table = re.findall(r"^\| (.+?) \| (\d+) \|$", text, re.MULTILINE)
    return {name.strip("`"): float(factor) for names, factor in table for name in names.split(", ")}


CASES = {
    "a bomb": Case(bomb, 2, {"trace": 2, "sources": 2}, "--max-size raises the limit", 100),
    "a line of 112 MB": Case(long_line, 2, {"trace": 2}, "no iptables rules found"),
    "a rule of 24 MB": Case(long_rule, 8, {"trace": 1, "sources": 0}),
    "300,000 chains": Case(many_chains, 8, {"trace": 0, "sources": 0}),
    "a rule of 4,000 words": Case(many_words, 10, {"trace": 1, "sources": 0}),
    "names of 100 KB": Case(long_names, 8, {"trace": 0, "sources": 0}),
    "80,000 lines of noise": Case(
        noise,
        factors()["lines of no kind"],
        {"trace": 1, "sources": 0},
        "skipped 80,000 of 80,003 lines that are not iptables output",
    ),
    "zeros in bzip2": Case(
        zeros(bz2.compress), 0.1, {"trace": 2, "routes": 2}, "unpacks to more than 600 MiB", 600
    ),
    "zeros in xz": Case(
        zeros(lzma.compress), 0.1, {"trace": 2, "routes": 2}, "unpacks to more than 600 MiB", 600
    ),
    "zeros in zstd": Case(zeros(zstd), 0.25, {"trace": 2, "routes": 2}, "unpacks to more than 600 MiB", 600),
    "zeros in a bundle": Case(zeros_in_a_bundle, 0.1, {"trace": 0, "sources": 0}, megabytes=600),
    "a device without an end": Case(
        nothing, 3, dict.fromkeys(COMMANDS, 2), "/dev/zero: larger than 50 MiB", 50, "/dev/zero"
    ),
    "standard input without an end": Case(
        nothing, 3, dict.fromkeys(COMMANDS, 2), "<stdin>: larger than 50 MiB", 50, "-"
    ),
    "100,000 routes": Case(routes, factors()["files beside the dump"], {"routes": 0}),
}


class Ended(NamedTuple):
    """How a process ended."""

    status: int
    said: str


def run(command: tuple[str, ...], path: str, limit: int, memory: int) -> Ended:
    """Run iptviz on a file, of `limit` megabytes at most, with an address space of `memory` bytes."""
    name, *words = command
    with Path("/dev/zero").open("rb") as endless:
        process = subprocess.run(
            # The shell sets the limit: Python of this process must not run in a child that shares its locks.
            ["sh", "-c", f'ulimit -v {memory // 1024} && exec "$@"', "sh",
             sys.executable, "-m", "iptviz", name, "--max-size", f"{limit}M", *words, path],
            stdin=endless,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=unmeasured(),
            check=False,
            timeout=SECONDS,
        )  # fmt: skip
    ended = Ended(process.returncode, process.stderr.decode("utf-8", "replace"))
    assert "Traceback" not in ended.said
    assert "internal error" not in ended.said
    assert "not enough memory" not in ended.said
    return ended


only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")


@only_linux
@pytest.mark.parametrize(
    ("about", "name"), part_of([(about, name) for about, case in CASES.items() for name in case.status], 3)
)
def test_it_ends_in_bounded_memory(about: str, name: str, tmp_path: Path) -> None:
    case, path = CASES[about], tmp_path / "dump"
    with path.open("wb") as file:
        file.writelines(case.pieces())
    limit = case.limit(path)
    ended = run(COMMANDS[name], case.path or str(path), limit, OWN + int(case.factor * limit * MEGABYTE))
    path.unlink()  # pytest would keep it until it has made some more
    assert ended.status == case.status[name], ended.said
    if name != "sources":
        assert case.says in ended.said


MIDDLE = "10.96.6.0"
ORDINARY = {
    "trace": ("trace", MIDDLE),
    "packet": ("packet", "--src", "10.128.0.9", "--protocol", "tcp", "--dport", "80", "--dst", MIDDLE),
    "sources": ("sources",),
    "services": ("services",),
    "check": ("check", "--exit-zero"),
    "graph": ("graph",),
    "report": ("report", "-f", "html"),
    "redact": ("redact",),
    "trace --redact": ("trace", "--redact", MIDDLE),
}


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump of 100,000 rules, of 10 MB."""
    path = tmp_path_factory.mktemp("ordinary") / "dump"
    path.write_text(saved(numbered(2_850, 10)), encoding="utf-8")
    return path


@only_linux
@pytest.mark.parametrize("name", ORDINARY)
def test_an_ordinary_dump_takes_no_more_memory_than_the_reference_says(name: str, ordinary: Path) -> None:
    limit = ordinary.stat().st_size // MEGABYTE + 1
    ended = run(ORDINARY[name], str(ordinary), limit, START + int(factors()[name] * limit * MEGABYTE))
    assert ended.status == 0, ended.said


@only_linux
def test_two_dumps_take_no_more_memory_than_the_reference_says_of_both(
    ordinary: Path, tmp_path: Path
) -> None:
    later = tmp_path / "later"
    text = ordinary.read_text(encoding="utf-8").replace(" 10.128.1.200:8080\n", " 10.127.0.1:8080\n")
    later.write_text(text.replace("\n-A ", "\n[123:4567] -A "), encoding="utf-8")
    sizes = [path.stat().st_size for path in (ordinary, later)]
    limit = max(sizes) // MEGABYTE + 1
    ended = run(("diff", str(ordinary)), str(later), limit, START + int(factors()["diff"] * sum(sizes)))
    assert ended.status == 1, ended.said


@only_linux
@pytest.mark.parametrize("name", ["trace", "services"])
def test_many_endpoints_take_no_more_memory_than_the_reference_says(name: str, tmp_path: Path) -> None:
    path, endpoints = tmp_path / "dump", 2_000
    path.write_text(saved(numbered(1, endpoints)), encoding="utf-8")
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    found = re.search(r"endpoints each takes up to ([\d,]+) bytes more", text)
    assert found
    target = ("10.96.1.0",) if name == "trace" else ()
    ended = run((name, *target), str(path), 8, START + endpoints * int(found[1].replace(",", "")))
    assert ended.status == 0, ended.said
