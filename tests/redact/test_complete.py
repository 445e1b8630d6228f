"""What is not whole is not whole in pseudonyms either, whatever shows it."""

from __future__ import annotations

import gzip
import io

import pytest

import iptviz
from iptviz.redact.dump import Redactor
from iptviz.redact.secrets import Secrets
from tests.conftest import ROOT

WHOLE = (ROOT / "fixtures/httpd-service/dump.rules").read_bytes()
LINES = WHOLE.splitlines(keepends=True)
LISTING = b"""Chain INPUT (policy ACCEPT)
target     prot opt source               destination
ACCEPT     tcp  --  10.1.2.3             0.0.0.0/0            tcp dpt:22
"""
BROKEN = {
    "noise": b"".join([*LINES[:60], b"kernel: eth0: link up 10.1.2.3\n", *LINES[60:]]),
    "noise before the end": b"".join([*LINES[:-2], b"kernel: eth0: link up\n", *LINES[-2:]]),
    "left out by grep": b"".join([*LINES[:60], b"--\n", *LINES[64:]]),
    "cut": WHOLE[: len(WHOLE) * 2 // 3],
    "no declaration": b"".join(line for line in LINES if not line.startswith(b":KUBE-SVC")),
    "no filter": b"".join(LINES[: next(i for i, line in enumerate(LINES) if line == b"COMMIT\n") + 1]),
    "a listing": LISTING,
    "damaged": gzip.compress(WHOLE, mtime=0)[:-6],
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_is_not_whole_stays_so(data: bytes) -> None:
    dump = iptviz.load(io.BytesIO(data))
    assert not dump.complete
    text = Redactor(dump, Secrets(bytes(32))).text()
    again = iptviz.load(text.encode())
    assert not again.complete
    assert again.rule_count == dump.rule_count
    assert "10.1.2.3" not in text
    assert "eth0" not in text


def test_what_is_whole_stays_so() -> None:
    assert iptviz.load(Redactor(iptviz.load(WHOLE), Secrets(bytes(32))).text().encode()).complete


def test_what_is_missing_is_said_where_it_is_missing() -> None:
    again = iptviz.load(Redactor(iptviz.load(BROKEN["noise"]), Secrets(bytes(32))).text().encode())
    assert [gap.line for gap in again.gaps] == [61]
