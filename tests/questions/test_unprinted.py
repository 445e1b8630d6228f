"""What an older iptables did not print is unknown in every answer, and no answer contradicts that of the whole dump.

`fixtures/unprinted/whole.rules` is what a kernel has; each loss is made of it as iptables makes it (see `findings/`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.documents.records import records_of
from iptviz.view.blocks import Facts, Table, Tree
from iptviz.view.services import services_view
from iptviz.view.trace import trace_view
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = (FIXTURES / "unprinted/whole.rules").read_text()
HEALTHY = [
    FIXTURES / name
    for name in (
        "unprinted/whole.rules",
        "httpd-today/dump.rules",
        "httpd-service/dump.rules",
        "policies-today/dump.rules",
    )
]
OLD = "v1.8.7 (nf_tables)"


def without_ports(text: str) -> str:
    """The dump as iptables 1.8.7 saves it of rules that 1.8.8 or newer wrote."""
    return re.sub(r"v1\.8\.9 \(nf_tables\)", OLD, re.sub(r"(?: -m (?:tcp|udp))? --dport \d+", "", text))


def without_marks(text: str) -> str:
    return re.sub(r" -m mark (?:! )?--mark \S+", "", text)


def without_chances(text: str) -> str:
    return re.sub(r" -m statistic --mode random --probability \S+", "", text)


def without_addresses(text: str) -> str:
    """The dump as iptables before 1.8.5 saves it of rules with a later revision of DNAT."""
    return re.sub(r"--to-destination \S+$", "[unsupported revision]", text, flags=re.MULTILINE)


def garbled(text: str) -> str:
    wrong = "--to-destination  --random --to-destination  --random --to-destination 0.0.0.0:0"
    return re.sub(r"--to-destination \S+$", wrong, text, flags=re.MULTILINE)


def of(text: str) -> iptviz.Dump:
    return iptviz.load(text.encode())


def shown(result: iptviz.ServicesResult) -> dict[tuple[str, str], tuple[str, ...]]:
    """By service port and kind of frontend its endpoints and their shares, as `services` shows them."""
    return {
        (port.name, answer.frontend.kind): tuple(
            f"{end.address}:{end.port} {'?' if answer.unshared else end.share}" for end in answer.endpoints
        )
        for port in result.services
        for answer in port.answers
    }


def ids(result: iptviz.ServicesResult | iptviz.TraceResult | iptviz.PacketResult) -> set[str]:
    return {finding.id for finding in result.findings}


ENDS = {
    ("kube-system/kube-dns:dns", "cluster-ip"): ("10.42.0.5:53 1",),
    ("kube-system/kube-dns:dns-tcp", "cluster-ip"): ("10.42.0.5:53 1/2", "10.42.1.7:53 1/2"),
    ("kube-system/kube-dns:dns-tcp", "node-port"): ("10.42.0.5:53 1/2", "10.42.1.7:53 1/2"),
    ("kube-system/kube-dns:metrics", "cluster-ip"): ("10.42.0.5:9153 1",),
    ("shop/cart:http", "cluster-ip"): (),
}
UNSHARED = {
    name: tuple(re.sub(" 1/2$", " ?", end) for end in ends) if len(ends) > 1 else ends
    for name, ends in ENDS.items()
}


@pytest.mark.parametrize(
    ("lose", "expected", "finding"),
    [
        (str, ENDS, None),
        (without_ports, ENDS, "ports-not-printed"),
        (without_marks, ENDS, "marks-not-printed"),
        (without_addresses, ENDS, "dnat-unreadable"),
        (garbled, ENDS, "dnat-unreadable"),
    ],
)
def test_services_show_every_endpoint(
    lose: Callable[[str], str], expected: dict[tuple[str, str], tuple[str, ...]], finding: str | None
) -> None:
    result = iptviz.services(of(lose(WHOLE)))
    assert shown(result) == expected
    assert ids(result) >= ({finding} if finding else set())
    assert not ids(result) & {"vip-collision", "uneven-shares", "endpoint-shadowed", "connections-lost"}


def test_shares_that_are_not_printed_are_not_told() -> None:
    """One chain alone that lacks them in a whole dump may be an edit: in an excerpt it is none."""
    excerpt = "".join(
        re.findall(
            r"^-A KUBE-(?:SVC|SEP|SERVICES).*-j (?:KUBE-S|DNAT).*\n", without_chances(WHOLE), re.MULTILINE
        )
    )
    result = iptviz.services(of(excerpt))
    assert shown(result) == {name: ends for name, ends in UNSHARED.items() if "cluster-ip" in name and ends}
    (port,) = (port for port in result.to_dict()["services"] if port["service"]["port_name"] == "dns-tcp")
    assert [end["probability"] for end in port["endpoints"]] == [None, None]
    assert [end["exact"] for end in port["endpoints"]] == [None, None]
    assert not port["balance"]
    assert "chances-not-printed" in ids(result)
    assert not ids(result) & {"uneven-shares", "endpoint-shadowed"}
    (service,) = iptviz.trace(of(excerpt), "kube-system/kube-dns:dns-tcp").to_dict()["services"]
    ends = [(end["address"], end["probability"], end["exact"]) for end in service["endpoints"]]
    assert ends == [("10.42.0.5", None, None), ("10.42.1.7", None, None)]
    assert not service["when"]
    assert not service["cases"]


@pytest.mark.parametrize(
    ("target", "said"),
    [("default/httpd-service", "reached: outside, pod, node: 4 endpoints, shares not printed"),
     ("10.244.1.17", "Target: 10.244.1.17 gets an unknown share of new connections")],
)  # fmt: skip
def test_the_view_of_shares_that_are_not_printed_names_none(target: str, said: str) -> None:
    healthy = (FIXTURES / "httpd-today/dump.rules").read_text()
    view = trace_view(iptviz.trace(of(without_chances(healthy)), target))
    facts = [f"{fact.label}: {fact.text}" for block in view.of(Facts) for fact in block.facts]
    rows = [row.cells for block in view.of(Tree) for row in block.flat().rows]
    assert said in facts
    assert any(fact.endswith("4 endpoints, shares not printed") for fact in facts)
    told = [fact for fact in facts if not fact.startswith("Finding")]
    assert not any("%" in fact or "chance" in fact for fact in told)
    assert {cells[1].text for cells in rows} == {"?"}


def test_counters_are_not_compared_with_shares_that_are_not_printed() -> None:
    counted = (FIXTURES / "httpd-nft/dump.rules").read_text()
    result = iptviz.trace(of(without_chances(counted)), "10.97.13.198")
    (seen,) = result.to_dict()["services"][0]["observed"]
    assert (seen["connections"], seen["p"], seen["verdict"]) == (1000, None, "unknown")
    assert seen["problems"] == ["the dump does not show the expected shares"]
    assert {way["expected"]["exact"] for way in seen["rules"]} == {None}


def test_endpoints_that_are_not_shown_have_no_share_either_where_none_is_printed() -> None:
    """Of one service's chains the excerpt has the one that balances, or an endpoint's besides."""
    lines = without_chances((FIXTURES / "httpd-today/dump.rules").read_text()).splitlines()
    balancing = [line for line in lines if line.startswith("-A") and "KUBE-SVC-EHNHZY2AA2RZYURI" in line]
    second = [line for line in lines if line.startswith("-A KUBE-SEP-TFTARLNFVTTUXBA2")]
    for text, endpoints, leftover in ((balancing, [], "1/1"), ([*balancing, *second], [None], None)):
        service = iptviz.trace(of("\n".join(text)), "10.97.13.198").to_dict()["services"][0]
        assert [end["exact"] for end in service["endpoints"]] == endpoints
        assert service["leftover"]["exact"] == leftover
        assert [hop["exact"] for hop in service["lacking"]] == [None] * (4 - len(endpoints))
        assert not service["cases"]


# --- ports -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("10.43.0.10", {"dns", "dns-tcp", "metrics"}),
        ("10.43.0.10:9153", {"dns", "dns-tcp", "metrics"}),
        ("10.43.0.10:9153/tcp", {"dns-tcp", "metrics"}),
        ("kube-system/kube-dns:metrics", {"metrics"}),
        (":30053", {"dns-tcp"}),
        ("192.168.1.10:30053", {"dns-tcp"}),
        ("10.43.0.20:80", {"http"}),
    ],
)
def test_a_port_that_is_not_printed_may_be_any(target: str, found: set[str]) -> None:
    result = iptviz.trace(of(without_ports(WHOLE)), target)
    assert {traced.service.port_name for traced in result.services} == found
    assert "ports-not-printed" in ids(result)
    assert result.findings[0].id == "ports-not-printed"
    for traced, paths in zip(result.services, result.paths, strict=True):
        own = traced.frontend.unprinted
        assert own is not None
        assert own in {one.condition for one in paths.assumed}
        assert ":?/" in traced.frontend.text
        assert not traced.usual.others
    asks = re.search(r":\d+", target) is not None
    assert any(note.id == "may-be-any-port" for note in result.notes) == asks


def test_a_refusal_without_its_port_is_that_of_its_own_service() -> None:
    """The filter table loses ports as well: the REJECT is about one port, and not about all of the address."""
    result = iptviz.packet(
        of(without_ports(WHOLE)), src="10.42.3.3", dst="10.43.0.20", protocol="tcp", dport=81
    )
    told = {
        (one.verdict, *(need.text for need in one.when if "port" in need.text)) for one in result.outcomes
    }
    refused = "the destination port is that of shop/cart:http (not printed)"
    assert ("REJECT", refused) in told
    assert any(verdict == "ACCEPT" for verdict, *_ in told)
    traced = iptviz.trace(of(without_ports(WHOLE)), "shop/cart").services[0]
    assert traced.usual.verdict is not None
    assert traced.usual.verdict.kind == "REJECT"


def test_rules_that_people_write_without_a_port_are_taken_as_they_are() -> None:
    """Without a protocol, or beside a rule that shows a port, nothing was lost."""
    shown_beside = "-A KUBE-SERVICES -d 10.0.0.2/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A"
    for rules in (
        ["-A KUBE-SERVICES -d 10.0.0.1/32 -j KUBE-SVC-A"],
        ["-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -j KUBE-SVC-A", shown_beside],
    ):
        result = iptviz.services(of("\n".join(["*nat", *rules, "-A KUBE-SVC-A -j KUBE-SEP-A", "COMMIT", ""])))
        assert "ports-not-printed" not in ids(result)
        assert all(answer.frontend.unprinted is None for port in result.services for answer in port.answers)


# --- marks -----------------------------------------------------------------------------------------------------


def test_masquerading_hangs_on_a_mark_that_is_not_printed() -> None:
    """trace and packet agree: outside clients are masqueraded or not, by the mark of the same rule."""
    dump = of(without_marks(WHOLE))
    line = next(dump.tables["nat"].rules_with("-A KUBE-POSTROUTING -j RETURN")).line
    question = iptviz_condition(line)
    traced = iptviz.trace(dump, "kube-system/kube-dns:metrics", client="outside")
    rows = [(entry.when + row.when, row.snat) for entry in traced.paths[0].entries for row in entry.endpoints]
    assert {snat for _, snat in rows} == {None, "MASQUERADE"}
    fits = {snat: one.holds for when, snat in rows for one in when if one.condition == question}
    assert fits == {None: True, "MASQUERADE": False}
    asked = iptviz.packet(
        dump,
        src="192.0.2.7",
        dst="10.43.0.10",
        protocol="tcp",
        dport=9153,
        mark="0x0",
        local_ips=("192.168.1.10",),
    )
    snats = {
        one.packet.snat: need.holds
        for one in asked.outcomes
        for need in one.when
        if need.condition == question
    }
    assert {None, "MASQUERADE"} == {one.packet.snat for one in asked.outcomes}
    assert snats.get(None, True)
    assert not any(note.id == "mark-not-masqueraded" for note in traced.notes)


def iptviz_condition(line: int) -> object:
    from iptviz.engine.condition import Condition

    return Condition("unprinted-mark", f"line {line}")


@pytest.mark.parametrize(
    ("destination", "dropping"),
    [("192.168.1.10", ""), ("10.42.9.9", ":FORWARD ACCEPT")],
    ids=["KUBE-FIREWALL", "KUBE-FORWARD"],
)
def test_a_mark_lost_in_filter_decides_nothing(destination: str, dropping: str) -> None:
    """KUBE-FIREWALL does not drop everything, and KUBE-FORWARD does not accept everything."""
    text = WHOLE.replace(dropping, ":FORWARD DROP") if dropping else WHOLE
    verdicts = [
        {
            one.verdict
            for one in iptviz.packet(
                of(each),
                src="192.0.2.7",
                dst=destination,
                protocol="tcp",
                dport=22,
                mark="0x0",
                local_ips=("192.168.1.10",),
            ).outcomes
        }
        for each in (text, without_marks(text))
    ]
    assert verdicts == [{"DROP" if dropping else "ACCEPT"}, {"ACCEPT", "DROP"}]


# --- addresses -------------------------------------------------------------------------------------------------


def test_an_endpoint_is_told_by_what_stands_beside_its_address() -> None:
    """By the comment on the way; else by the hairpin rule, without a port; else by its chain alone."""
    text = without_addresses(WHOLE)
    bare = re.sub(r" -> \S+:\d+", "", text)
    lone = re.sub(r"-A KUBE-SEP-B\S+ -s .*\n", "", bare)
    ends = [
        iptviz.trace(of(each), "kube-system/kube-dns:metrics").services[0].usual.endpoints[0].text
        for each in (text, bare, lone)
    ]
    assert ends == ["10.42.0.5:9153", "10.42.0.5:?", "not readable (KUBE-SEP-BBBBBBBBBBBBBBBB)"]
    result = iptviz.trace(of(bare), "kube-system/kube-dns:metrics")
    assert {(row.address, row.port) for entry in result.paths[0].entries for row in entry.endpoints} == {
        ("10.42.0.5", None)
    }
    assert iptviz.trace(of(text), "10.42.0.5:9153").services[0].service.port_name == "metrics"
    assert len(iptviz.trace(of(bare), "10.42.0.5:9153").services) == 4
    assert not iptviz.trace(of(text), "10.42.0.5:9154").services
    result = iptviz.trace(of(lone), "kube-system/kube-dns:metrics")
    assert len(result.services[0].outcomes) == 1
    assert {row.address for entry in result.paths[0].entries for row in entry.endpoints} == {ends[2]}
    (port,) = (one for one in iptviz.services(of(lone)).services if one.service.port_name == "metrics")
    assert [end.share for end in port.endpoints] == [1]


@pytest.mark.parametrize(
    "wrong", ["--to-destination :0 --persistent", "--random", "", "[unsupported revision]"]
)
def test_each_way_to_print_no_address_is_known(wrong: str) -> None:
    text = re.sub(r"-j DNAT .*$", f"-j DNAT {wrong}".strip(), WHOLE, flags=re.MULTILINE)
    assert shown(iptviz.services(of(text))) == ENDS
    result = iptviz.trace(of(text), "kube-system/kube-dns:metrics")
    assert "dnat-unreadable" in ids(result)


# --- what holds of every loss ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lose", [without_ports, without_marks, without_addresses, garbled], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("path", HEALTHY, ids=lambda one: one.parent.name)
def test_no_answer_contradicts_that_of_the_whole_dump(path: object, lose: Callable[[str], str]) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    whole, lossy = of(text), of(lose(text))
    known, told = shown(iptviz.services(whole)), shown(iptviz.services(lossy))
    assert {name: [_alike(end) for end in ends] for name, ends in told.items()} == {
        name: [_alike(end) for end in ends] for name, ends in known.items()
    }
    for port in iptviz.services(whole).services:
        frontend = port.usual.frontend
        asked = {
            "src": "192.0.2.7", "dst": frontend.address, "protocol": port.protocol, "dport": frontend.port,
            "mark": "0x0", "local_ips": ("192.168.1.10",),
        }  # fmt: skip
        ways, others = (fates(iptviz.packet(dump, **asked)) for dump in (whole, lossy))  # type: ignore[arg-type]
        assert ways <= others


def _alike(end: str) -> str:
    """An endpoint without its port, which is not known where the comment does not tell it."""
    return re.sub(r":(?:\d+|None|\?)(?= )|:\?", "", end)


def fates(result: iptviz.PacketResult) -> set[tuple[str, str, str | None]]:
    return {
        (one.verdict, (one.packet.dnat or "").partition(":")[0], one.packet.snat) for one in result.outcomes
    }


# --- rules cut short, and counters -----------------------------------------------------------------------------


def test_a_native_rule_cut_short_is_taken_as_printed_and_told() -> None:
    text = WHOLE.replace("-A FORWARD -m", "-A FORWARD -p tcp -j DROP\n-A FORWARD -m", 1)
    dump = of(text)
    line = next(dump.tables["filter"].rules_with("-p tcp -j DROP")).line
    result = iptviz.trace(dump, "kube-system/kube-dns:metrics")
    assert f"line {line} is as wide as printed" in {one.text for one in result.paths[0].assumed}
    assert "native-rule-cut" in ids(result)
    asked = iptviz.packet(
        dump, src="10.42.3.3", dst="10.42.9.9", protocol="tcp", dport=80, local_ips=("192.168.1.10",)
    )
    assert {one.verdict for one in asked.outcomes} == {"DROP", "ACCEPT"}
    legacy = iptviz.trace(of(text.replace(" (nf_tables)", "")), "kube-system/kube-dns:metrics")
    assert not any(one.condition.kind == "as-printed" for one in legacy.paths[0].assumed)


@pytest.mark.parametrize(
    ("tool", "note"),
    [
        ("v1.8.9 (nf_tables)", None),
        ("v1.8.9 (legacy)", "nth-on-legacy"),
        ("v1.6.1", "nth-on-legacy"),
        ("", "nth-if-legacy"),
    ],
)
def test_shares_by_counting_hold_for_one_backend(tool: str, note: str | None) -> None:
    text = re.sub(r"--mode random --probability \S+", "--mode nth --every 2 --packet 0", WHOLE)
    text = (
        text.replace("v1.8.9 (nf_tables)", tool) if tool else re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    )
    dump = of(text)
    answers = (
        iptviz.services(dump),
        iptviz.trace(dump, "kube-system/kube-dns:dns-tcp"),
        iptviz.packet(dump, src="10.42.3.3", dst="10.43.0.10", protocol="tcp", dport=53),
    )
    for answer in answers:
        said = {one.id for one in answer.notes} & {"nth-on-legacy", "nth-if-legacy"}
        assert said == ({note} if note else set())


def test_a_record_shows_a_port_that_is_not_printed_as_unknown() -> None:
    result = iptviz.services(of(without_ports(WHOLE)))
    _, records = records_of(result.to_dict())
    frontends = {text for record in records for text in str(record[5]).split()}
    assert "10.43.0.10:?/tcp" in frontends
    assert not any("/" in text and ":" not in text for text in frontends)


def test_where_marks_are_not_printed_the_tree_says_that_connections_are_marked() -> None:
    text = re.sub(r" -m mark (?:! )?--mark \S+", "", (FIXTURES / "httpd-today/dump.rules").read_text())
    nodes = [
        node for block in trace_view(iptviz.trace(of(text), "10.97.13.198")).of(Tree) for node in block.nodes
    ]
    marks = {below.text for node in nodes for below in node.children if below.kind == "mark"}
    assert marks == {"marked for SNAT unless source in 10.244.0.0/16"}


def test_one_rule_without_a_port_beside_others_that_show_theirs_is_said() -> None:
    text = re.sub(r"(-A KUBE-NODEPORTS .*?) -m tcp --dport \d+", r"\1", WHOLE)
    result = iptviz.services(of(text))
    odd = [one.frontend.at for port in result.services for one in port.answers if one.frontend.lacks_port]
    assert odd == [":?"]
    (table,) = services_view(result).of(Table)
    assert (
        sum("a rule that jumps to it shows no port" in cell.text for row in table.rows for cell in row.cells)
        == 1
    )
    (service,) = iptviz.trace(of(text), ":30053").to_dict()["services"]
    assert service["frontend"]["port_printed"] is False
