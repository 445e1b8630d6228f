"""What is done for many rules of kube-proxy's at once comes to the same, and leaves the same map, as rule by rule."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.dump.model import Dump
from iptviz.dump.table import Table
from iptviz.intake.index import Section
from iptviz.redact import bulk, mentions
from iptviz.redact.dump import Redactor
from iptviz.redact.pieces import pieces
from iptviz.redact.secrets import Secrets
from tests import kubeproxy

_COMMENT = re.compile(
    r'^(-A KUBE-(?:SEP-\S+|SVC-\S+(?= -m comment)).*?) -m comment --comment "[^"]*"', re.MULTILINE
)
"""What kube-proxy leaves out in a large cluster."""


def large(services: int) -> str:
    return _COMMENT.sub(r"\1", kubeproxy.saved(kubeproxy.numbered(services, 3)))


def as_ipv6(text: str) -> str:
    text = re.sub(r"10\.\d+\.(\d+\.\d+):(\d+)", lambda found: f"[fd00::{_groups(found[1])}]:{found[2]}", text)
    text = re.sub(r"10\.\d+\.(\d+\.\d+)/32", lambda found: f"fd00::{_groups(found[1])}/128", text)
    return text.replace("10.128.0.0/9", "fd00::/64").replace("iptables-save", "ip6tables-save")


def _groups(text: str) -> str:
    third, last = map(int, text.split("."))
    return f"{third:x}:{last:x}"


SMALL = large(4)
TEXTS = {"ipv4": SMALL, "ipv6": as_ipv6(SMALL), "counted": SMALL.replace("\n-A ", "\n[7:420] -A ")}
CHANGES = [
    *((r"(?<=KUBE-SEP-)\S+", name) for name in ("AAAAAAAAAAAAAAAA", "A", "a")),
    *((r"(?<=KUBE-SVC-)\S+", name) for name in ("AAAAAAAAAAAAAAAA", "1")),
    *(
        (r"\d+\.\d+\.\d+\.\d+", address)
        for address in ("999.1.1.1", "010.0.0.1", "127.0.0.1", "203.0.113.9", "10.1.2", "::1", "10.128.1.1")
    ),
    *((r"fd00::[0-9a-f:]+", address) for address in ("fd00::01:2", "::ffff:1.2.3.4", "2001:db8::7", "fd00::1::")),
    *((r"/32|/128", mask) for mask in ("/31", "/0", "")),
    *((r"(?<=:)\d+$|(?<=--dport )\d+", port) for port in ("0", "00080", "123456", "31000", "http")),
    *((r"(?<=--probability )\S+", chance) for chance in ("1", ".5", "1.2.3.4", "0.5x")),
    *((r"(?<=-j )\S+", target) for target in ("ACCEPT", "DNAT", "KUBE-SVC-AAAAAAAAAAAAAAAA", "other")),
    *((r"(?<=comment )\".*\"", text) for text in ('"a/b cluster IP"', '"a/b: cluster IP"', '"who"', '"\\""', "a/b")),
    *((r"^(?=-A|\[)", before) for before in ("[0:0] ", "[007:1] ", "[1~:2] ", " ", "x")),
    *((r"$", after) for after in (" ", "\r", "\n", "\n# -A", " -m x")),
    (r"tcp", "udp"),
    (r"^-A", "-I"),
    (r"^:(.*)", r":\1\n:\1"),
    (r"^:.*", ":DNAT - [0:0]"),
    (r"^:(\S+).*", r":\1 DROP [5:300]"),
    (r"^:(\S+).*", r":\1"),
    (r"^(.*)", r"\1\n\1"),
    (r"^.*$", ""),
]  # fmt: skip
DRAWN = st.lists(
    st.tuples(st.integers(0, SMALL.count("\n")), st.integers(-9, 9), st.sampled_from(CHANGES)), max_size=6
)


def changed(text: str, drawn: list[tuple[int, int, tuple[str, str]]]) -> str:
    lines = text.split("\n")
    for place, far, (pattern, other) in drawn:
        lines[place] = re.sub(pattern, other, lines[place], count=1)
        away = (place + far) % len(lines)
        lines[place], lines[away] = lines[away], lines[place]
    return "\n".join(lines)


def written(text: str, *, ports: bool) -> tuple[str, str]:
    """Return the text in pseudonyms and all that the map keeps, in its order."""
    secrets = Secrets(bytes(32))
    shown = Redactor(Dump(text.encode()), secrets, ports=ports).text()
    return shown, json.dumps([secrets.known, secrets.addresses.known])


def written_one_by_one(text: str, *, ports: bool) -> tuple[str, str]:
    with pytest.MonkeyPatch.context() as without:
        for module in (bulk, mentions):
            without.setattr(module, "read_bulk", lambda _: None)
        without.setattr(Section, "together", property(lambda _: False))
        without.setattr(Table, "declares_once", lambda _: False)
        return written(text, ports=ports)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_nearly_all_rules_of_a_large_cluster_are_read_at_once(text: str) -> None:
    nat = Dump(text.encode()).tables["nat"]
    ours = [
        piece.text for piece in pieces(nat, nat.rules_in_turn()) if re.search("-A KUBE-S(EP|VC)", piece.text)
    ]
    assert len(ours) > 10
    assert all(map(bulk.read_bulk, ours))
    assert nat.declares_once()
    assert list(nat.rules_in_turn()) == nat.blocks()


FIRST, *_, LAST = re.findall(r"^-A (KUBE-SVC-\S+) -j (KUBE-SEP-\S+)\n", SMALL, re.MULTILINE)
SHARED = SMALL.replace(f"-A {FIRST[0]} -j {FIRST[1]}\n", f"-A {FIRST[0]} -j {LAST[1]}\n")
"""The first service leads to an endpoint of the last, too."""


def declared_from_the_end(text: str) -> str:
    lines = text.split("\n")
    declared = [place for place, line in enumerate(lines) if line.startswith(":KUBE-SVC-")]
    for place, line in zip(declared, [lines[place] for place in reversed(declared)], strict=True):
        lines[place] = line
    return "\n".join(lines)


TEXTS_OF_HANDS = {
    "a chain called like a target": SMALL.replace("*nat\n", "*nat\n:DNAT - [0:0]\n"),
    "a shared endpoint": SHARED,
    "declared in another order": declared_from_the_end(SHARED),
    "shared with a chain without a hash": SHARED.replace(FIRST[0], "KUBE-SVC-1"),
    "hashes of nobody": re.sub("(?<=KUBE-SEP-).", "A", SMALL),
    "no names": re.sub(' -m comment --comment ".*?"', "", SMALL),
}


@pytest.mark.parametrize("ports", [False, True])
@pytest.mark.parametrize("text", (TEXTS | TEXTS_OF_HANDS).values(), ids=TEXTS | TEXTS_OF_HANDS)
def test_it_comes_to_the_same(text: str, *, ports: bool) -> None:
    assert written(text, ports=ports) == written_one_by_one(text, ports=ports)


@given(st.sampled_from(sorted(TEXTS)), DRAWN, st.booleans())
def test_it_comes_to_the_same_whatever_was_changed(
    kind: str, drawn: list[tuple[int, int, tuple[str, str]]], ports: bool
) -> None:
    text = changed(TEXTS[kind], drawn)
    assert written(text, ports=ports) == written_one_by_one(text, ports=ports)


@pytest.mark.parametrize(
    ("rules", "together"),
    [
        ("-A A -j A\n" * 2500, True),
        ("-A A -j A\n# a remark\n-A A -j A\n-A B -j A\n", True),
        ("-A A -j A\n-A B -j A\n-A A -j A\n", False),
        ("-A KUBE-SVC-A -j KUBE-SEP-A\n-A KUBE-SVC-B -j KUBE-SEP-A\n-A KUBE-SVC-A -j KUBE-SEP-B\n", False),
        ("-A KUBE-SVC-A -j KUBE-SEP-A\n-A B -j A\n-A KUBE-SVC-A -j KUBE-SEP-B\n", False),
    ],
)
def test_rules_that_stand_apart_are_taken_chain_by_chain(rules: str, *, together: bool) -> None:
    nat = Dump(f"*nat\n{rules}COMMIT\n".encode()).tables["nat"]
    chain_by_chain = [run for _, run in nat.each_run()]
    taken = list(nat.rules_in_turn())
    assert (taken == nat.blocks()) == together
    assert "".join(piece.text for piece in pieces(nat, taken)) == "".join(
        piece.text for piece in pieces(nat, chain_by_chain)
    )
