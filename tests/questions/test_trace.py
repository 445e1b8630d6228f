"""What a trace notes beside its answer: what the dump lacks, and who else takes the connection."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.engine import cases as cases_module
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style

if TYPE_CHECKING:
    from iptviz.questions.trace import TraceResult

HTTPD = Path("fixtures/httpd-service/dump.rules")
SERVICE, ENDPOINT = "KUBE-SVC-X2P42VLQEZCHLPKZ", "KUBE-SEP-2ZFMABIBAPGHKA6E"


def traced(*changes: tuple[str, str]) -> TraceResult:
    """Trace the standard service in its dump, changed: each text is replaced by another, once."""
    text = HTTPD.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return iptviz.trace(iptviz.load(text.encode()), "10.97.13.198")


def above_services(rule: str) -> tuple[str, str]:
    """A rule put above the jump to KUBE-SERVICES."""
    jump = '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES'
    return jump, f"{rule}\n{jump}"


def test_a_healthy_dump_leaves_nothing_to_note() -> None:
    result = traced()
    assert (result.notes, result.complete) == ((), True)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        (
            [above_services("-A PREROUTING -d 10.97.0.0/16 -p tcp -j REDIRECT --to-ports 9")],
            "line 28: REDIRECT in nat PREROUTING runs before KUBE-SERVICES and takes the connection: no DNAT by kube-proxy",
        ),
        (
            [above_services("-A PREROUTING -i eth0 -p tcp -m tcp --dport 79 -j ACCEPT")],
            (
                "line 28: ACCEPT in nat PREROUTING runs before KUBE-SERVICES and takes the connection "
                "when input interface is eth0: no DNAT by kube-proxy"
            ),
        ),
        (
            [('-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES\n', "")],
            "nat OUTPUT has no jump to KUBE-SERVICES: connections of the node itself reach no service",
        ),
        (
            [
                (
                    f"-A {ENDPOINT} -p tcp -m tcp -j DNAT --to-destination 10.244.1.17:80",
                    f"-A {ENDPOINT} -j ACCEPT",
                )
            ],
            "line 37: ACCEPT in KUBE-SEP-2ZFMABIBAPGHKA6E ends the nat table before an endpoint of default/httpd-service is chosen",
        ),
        (
            [(f"-A {SERVICE} -m statistic --mode random --probability 0.25000000000 -j", f"-A {SERVICE} -j")],
            "line 77: 3 endpoints (10.244.1.18:80, 10.244.2.20:80, 10.244.2.21:80) of default/httpd-service get no connections: line 76 above takes every connection",
        ),
        (
            [(f"-A {SERVICE} -m statistic --mode random --probability 0.25000000000 -j {ENDPOINT}\n", "")],
            None,
        ),
    ],
    ids=["taken", "taken on a condition", "no hook", "no DNAT", "shadowed", "a rule missing is no note"],
)
def test_what_stands_in_the_way_is_noted(changes: list[tuple[str, str]], note: str | None) -> None:
    notes = sentences(traced(*changes).notes)
    assert notes == [] if note is None else note in notes


@pytest.mark.parametrize(
    "rule",
    [
        "-A PREROUTING -d 10.98.0.0/16 -p tcp -j REDIRECT --to-ports 9",
        "-A PREROUTING -p udp -j ACCEPT",
        "-A PREROUTING -j MARK --set-xmark 0x1/0x1",
        "-A PREROUTING -p tcp -m tcp --dport 80 -j ACCEPT",
    ],
)
def test_rules_above_that_cannot_take_this_connection_are_not_noted(rule: str) -> None:
    assert traced(above_services(rule)).notes == ()


def test_an_endpoint_chain_whose_rules_are_cut_off_is_noted() -> None:
    text = HTTPD.read_text()
    lines = [line for line in text.splitlines() if not line.startswith(f"-A {ENDPOINT}")]
    result = iptviz.trace(iptviz.load("\n".join(lines).encode() + b"\n"), "10.97.13.198")
    assert sentences(result.notes) == [
        f"line 74: leads to {ENDPOINT} of default/httpd-service, which has no rules"
    ]
    # As in the kernel: an empty chain returns at once, and the rules after it share among themselves.
    assert [round(float(end.share), 3) for end in result.services[0].usual.endpoints] == [0.333] * 3


def test_each_service_knows_its_other_frontends() -> None:
    result = iptviz.trace(iptviz.load("fixtures/policies-today/dump.rules"), "10.97.20.1")
    kinds = [frontend.kind for frontend in result.siblings[0]]
    assert kinds == ["external-ip", "load-balancer-ip", "node-port"]


def test_the_public_names_stay_what_they_are_whatever_was_imported_before() -> None:
    import iptviz.questions.trace

    assert callable(iptviz.trace)
    assert callable(iptviz.load)
    assert set(iptviz.__all__) <= set(dir(iptviz)) | {"trace", "load"} | set(iptviz._HOMES)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = iptviz.nonsense


def test_a_dump_cut_above_the_service_chain_does_not_pretend_to_know() -> None:
    text = HTTPD.read_text()
    cut = text[: text.index(f"-A {SERVICE} ")]
    result = iptviz.trace(iptviz.load(cut.encode()), "10.97.13.198")
    shown = FORMATS["tree"].writer("trace")(result, Style(), fold=True)
    assert not result.complete
    assert f"every connection: unknown (this incomplete dump has no rules of {SERVICE})" in shown
    assert "WARNING    the dump is incomplete: see the notes" in shown.split("\n\n")[0]
    assert "nothing outside this dump" not in shown


def test_what_a_trace_leaves_open_is_no_fault_of_the_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases_module, "MOST_CASES", 2)
    first = f"-A {SERVICE} -m statistic"
    rules = (f"-A {SERVICE} -m set --match-set S{n} src -j {ENDPOINT}\n" for n in range(9))
    result = traced((first, f"{''.join(rules)}{first}"))
    shown = FORMATS["tree"].writer("trace")(result, Style(), fold=True)
    assert "left open: whether packet is in ipset S0 src" in "".join(sentences(result.notes))
    assert result.complete
    first, source, *_ = shown.split("\n\n")
    assert source.endswith(" · complete")
    assert "WARNING  conditions left open (see the notes)" in first
    assert "lacks" not in shown
    (service,) = result.to_dict()["services"]
    assert service["left_open"][0] == "whether packet is in ipset S0 src"


def test_a_trace_that_leaves_nothing_open_has_no_such_field() -> None:
    assert "left_open" not in traced().to_dict()["services"][0]


@pytest.mark.parametrize("target", [":30080", "127.0.0.1:30080"])
def test_a_node_port_at_the_loopback_address_needs_route_localnet(target: str) -> None:
    (paths,) = iptviz.trace(iptviz.load("fixtures/policies-today/dump.rules"), target).paths
    found = {
        one.condition.value: {row.outcome for row in entry.endpoints}
        for entry in paths.entries
        for one in entry.when
        if one.condition.kind == "sysctl" and one.holds
    }
    assert found == {"net.ipv4.conf.all.route_localnet=1": {"ACCEPT"}}
    lost = [
        entry
        for entry in paths.entries
        for one in entry.when
        if one.condition.kind == "sysctl" and not one.holds
    ]
    assert {row.outcome for entry in lost for row in entry.endpoints} == {"DROP"}


def test_of_the_loopback_address_the_node_alone_is_a_client() -> None:
    dump = iptviz.load("fixtures/policies-today/dump.rules")
    (paths,) = iptviz.trace(dump, "127.0.0.1:30080").paths
    assert {client for entry in paths.entries for client in entry.clients} == {"node"}
    (asked,) = iptviz.trace(dump, "127.0.0.1:30080", client="outside").paths
    assert {client for entry in asked.entries for client in entry.clients} == {"outside"}


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("-A PREROUTING ! -p 253 -j ACCEPT", True), ("-A PREROUTING -j ACCEPT", True),
        ("-A PREROUTING -p udp -m udp -j ACCEPT", False), ("-A PREROUTING -s 10.0.0.9/32 -j ACCEPT", False),
        ("-A PREROUTING ! -p tcp -j ACCEPT", False), ("", False),
    ],
)  # fmt: skip
def test_a_notrack_that_is_never_asked_is_told(rule: str, told: bool) -> None:
    raw = f"*raw\n:PREROUTING ACCEPT [0:0]\n{rule}\n-A PREROUTING -d 10.97.13.198/32 -p tcp -j NOTRACK\nCOMMIT\n"
    text = raw + Path("fixtures/httpd-service/dump.rules").read_text(encoding="utf-8")
    notes = iptviz.trace(iptviz.load(text.encode()), "10.97.13.198").to_dict()["notes"]
    assert any("NOTRACK for 10.97.13.198:79/tcp never runs: line 3" in note for note in notes) == told


@pytest.mark.parametrize("known", [False, True])
def test_nobody_asks_a_host_port_at_a_cluster_ip(known: bool, tmp_path: Path) -> None:
    addresses = tmp_path / "addresses"
    addresses.write_text("2: eth0: <UP>\n    inet 192.0.2.10/24 scope global eth0\n")
    dump = iptviz.load("fixtures/ways/08-hostport-stale.rules")
    paths = iptviz.trace(dump, ":443", addresses=str(addresses) if known else None).paths[0]
    kinds = {
        one.condition.kind for entry in paths.entries if entry.clients != ("node",) for one in entry.when
    }
    assert "destination-cidr" not in kinds
    assumed = [one.condition.value for one in paths.assumed if one.condition.kind == "destination-cidr"]
    assert assumed == ([] if known else ["10.96.0.1/32"])
