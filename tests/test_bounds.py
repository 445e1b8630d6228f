"""Hostile and broken input ends in an answer or a clear error, in bounded memory and time.

Each case runs the command line in a process of its own, whose address space is limited to a fixed part, for
Python and the program itself, and a factor of what it has to hold: what --max-size lets in, which is the
file's size in whole megabytes, and less for the bomb. (Reading reserves address space for all that
--max-size lets in, 2 GiB by default, though it uses no more than the file takes: so each case names a
limit.) A process that went beyond would fail with "not enough memory", which counts as a failure here. The
factor is that of memory to text: lines of an ordinary dump cost their bytes and a few chains; where every
line is looked at by itself, as in noise, lines of 25 bytes cost some forty times that.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.conftest import ROOT
from tests.program import unmeasured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MEGABYTE = 1 << 20
OWN = 96 * MEGABYTE
"""What Python, the program and its libraries may take of the address space, whatever they read: twice what they do."""

SECONDS = 60
"""Far more than any case takes: only what never ends shall fail, on a slow machine, too."""

COMMANDS = {"trace": ("trace", "10.96.0.1"), "sources": ("sources",)}
FRONTEND = b"-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j "
BLOCK = 16 * MEGABYTE


class Case(NamedTuple):
    """Pieces of a file, how many times its size may be taken, and what the program must say, by command tried."""

    pieces: Callable[[], Iterator[bytes]]
    factor: float
    status: dict[str, int]
    says: str = ""
    megabytes: int | None = None

    def limit(self, path: Path) -> int:
        """Return --max-size in megabytes: enough for the file, unless the case names another."""
        return self.megabytes or path.stat().st_size // MEGABYTE + 1


def bomb() -> Iterator[bytes]:
    """Ten megabytes of gzip for ten gigabytes of zeros: one block of them, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    yield b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    yield from (block for _ in range(640))


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


CASES = {
    "a bomb": Case(bomb, 2, {"trace": 2, "sources": 2}, "--max-size raises the limit", 100),
    "a line of 112 MB": Case(long_line, 2, {"trace": 2}, "no iptables rules found"),
    "a rule of 24 MB": Case(long_rule, 8, {"trace": 1, "sources": 0}),
    "300,000 chains": Case(many_chains, 8, {"trace": 0, "sources": 0}),
    "a rule of 4,000 words": Case(many_words, 10, {"trace": 1, "sources": 0}),
    "names of 100 KB": Case(long_names, 8, {"trace": 0, "sources": 0}),
    "80,000 lines of noise": Case(
        noise, 50, {"trace": 1, "sources": 0}, "skipped 80,000 of 80,003 lines that are not iptables output"
    ),
}


class Ended(NamedTuple):
    """How a process ended."""

    status: int
    said: str


def run(command: tuple[str, ...], path: Path, memory: int) -> Ended:
    """Run iptviz on a file with an address space of `memory` bytes."""
    process = subprocess.run(
        [sys.executable, "-m", "iptviz", *command, str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=unmeasured(),
        check=False,
        timeout=SECONDS,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (memory, memory)),
    )
    return Ended(process.returncode, process.stderr.decode("utf-8", "replace"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the address space")
@pytest.mark.parametrize(
    ("about", "name"), [(about, name) for about, case in CASES.items() for name in case.status]
)
def test_it_ends_in_bounded_memory(about: str, name: str, tmp_path: Path) -> None:
    case, path = CASES[about], tmp_path / "dump"
    with path.open("wb") as file:
        file.writelines(case.pieces())
    limit = case.limit(path)
    command = (*COMMANDS[name], "--max-size", f"{limit}M")
    ended = run(command, path, OWN + int(case.factor * limit * MEGABYTE))
    path.unlink()  # pytest would keep it until it has made some more
    assert "Traceback" not in ended.said
    assert "internal error" not in ended.said
    assert "not enough memory" not in ended.said
    assert ended.status == case.status[name], ended.said
    if name == "trace":
        assert case.says in ended.said
