"""When a dump was written: each cue alone, together, in conflict; and never excluding the truth."""

from __future__ import annotations

import re

import pytest

import iptviz
from iptviz.checks.era import era_remark
from iptviz.checks.wording import sentence
from iptviz.kube.counted_cues import digits_of
from iptviz.kube.era import era_of
from iptviz.kube.releases import NEWEST, releases, since, spans_text, until
from tests import kubeproxy
from tests.conftest import ROOT, SHARED
from tests.kubeproxy import NEW, OLD, Cluster

GROUND = ":KUBE-SERVICES - [0:0]"


def era(nat: str = "", filters: str = "", mangle: str = "") -> str:
    """The era of a dump with these lines; `;` parts them."""
    tables = {"nat": f"{GROUND};{nat}", "filter": filters, "mangle": mangle}
    text = "".join(
        "\n".join(
            [
                f"*{name}",
                *sorted(filter(None, lines.split(";")), key=lambda line: line[0] != ":"),
                "COMMIT",
                "",
            ]
        )
        for name, lines in tables.items()
        if lines
    )
    return sentence(era_remark(era_of(iptviz.load(text.encode())))).removeprefix("kube-proxy ")


WAY = "-A KUBE-SVC-A"
CLUSTER = '-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "a/b cluster IP" -m tcp --dport 80 -j KUBE-SVC-A'
THIRD = "-m statistic --mode random --probability"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ({}, "of unknown version"),
        ({"nat": "-A KUBE-EXT-A -j KUBE-SVC-A"}, "1.24 or newer"),
        ({"nat": "-A KUBE-SVL-A -j KUBE-SEP-A"}, "1.24 or newer"),
        ({"nat": '-A KUBE-XLB-A -m comment --comment "a/b" -j KUBE-SEP-A'}, "1.4 to 1.23"),
        ({"nat": '-A KUBE-XLB-A -m comment --comment "Balancing rule 0 for a/b" -j KUBE-SEP-A'}, "1.4 to 1.22"),
        ({"nat": f"{WAY} {THIRD} 0.33332999982 -j KUBE-SEP-A"}, "1.16 or older"),
        ({"nat": f"{WAY} {THIRD} 0.33333333349 -j KUBE-SEP-A"}, "1.17 or newer"),
        ({"nat": f"{WAY} {THIRD} 0.50000000000 -j KUBE-SEP-A"}, "of unknown version"),
        ({"nat": f"-A MINE {THIRD} 0.33332999982 -j ACCEPT"}, "of unknown version"),
        ({"nat": f'{WAY} -m comment --comment "a/b" -j KUBE-SEP-A'}, "1.11 or older or 1.18 to 1.23"),
        ({"nat": f'{WAY} -m comment --comment "a/b -> 10.0.0.1:80" -j KUBE-SEP-A'}, "1.24 or newer"),
        ({"nat": f'{WAY} -j KUBE-SEP-A;{CLUSTER.replace("a/b", "a/b:c")}'}, "1.12 to 1.17"),
        ({"nat": f"{WAY} -j KUBE-SEP-A"}, "of unknown version"),
        ({"nat": CLUSTER}, "1.19 or newer"),
        ({"nat": CLUSTER.replace("a/b ", "a/b: ")}, "1.19 or older"),
        ({"nat": CLUSTER.replace("-d ", "! -s 10.0.0.0/8 -d ").replace("a/b", "a/b:c").replace("SVC-A", "MARK-MASQ")},
         "1.2 to 1.21"),
        ({"nat": CLUSTER.replace("SERVICES", "SVC-A", 1).replace("a/b", "a/b:c").replace("-j KUBE-SVC-A", "-j KUBE-MARK-MASQ")},
         "1.22 or newer"),
        ({"nat": "-A KUBE-POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE"}, "1.2 to 1.18"),
        ({"nat": "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN"}, "1.16 or newer"),
        ({"nat": ":KUBE-PROXY-CANARY - [0:0]"}, "1.17 or newer"),
        ({"filters": ":KUBE-FORWARD - [0:0]"}, "1.8 or newer"),
        ({"filters": "-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP"}, "1.15 or newer"),
        ({"filters": '-A KUBE-FORWARD -s 10.0.0.0/8 -m comment --comment "kubernetes forwarding conntrack pod source rule" -j ACCEPT'},
         "1.8 to 1.17"),
        ({"filters": '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack pod source rule" -j ACCEPT'},
         "1.18 to 1.22"),
        ({"filters": '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -j ACCEPT'}, "1.23 or newer"),
        ({"filters": ":KUBE-EXTERNAL-SERVICES - [0:0]"}, "1.10 or newer"),
        ({"filters": "-A FORWARD -j KUBE-EXTERNAL-SERVICES"}, "1.19 or newer"),
        ({"filters": ":KUBE-NODEPORTS - [0:0]"}, "1.21 or newer"),
        ({"filters": ":KUBE-PROXY-FIREWALL - [0:0]"}, "1.25 or newer"),
        ({"nat": '-A KUBE-FW-A -m comment --comment "other traffic to a/b will be dropped by KUBE-PROXY-FIREWALL"'},
         "1.27 or newer"),
        # what later releases always make is not there
        ({"filters": ":KUBE-SERVICES - [0:0]"}, "1.8 or older"),
        ({"filters": ":KUBE-SERVICES - [0:0];:KUBE-FORWARD - [0:0]"}, "1.8 to 1.9"),
        # the kubelet may be of another release
        ({"nat": "-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000;-A KUBE-EXT-A -j KUBE-SVC-A"}, "1.24 or newer"),
        ({"mangle": ":KUBE-IPTABLES-HINT - [0:0]"}, "of unknown version"),
    ],
)  # fmt: skip
def test_a_form_dates_a_dump(lines: dict[str, str], expected: str) -> None:
    found = era(**lines)
    assert found.removeprefix("kube-proxy ") == expected


def test_mixed_eras_are_said_with_both_lines() -> None:
    found = era(nat="-A KUBE-XLB-A -j KUBE-SEP-A;-A KUBE-EXT-A -j KUBE-SVC-A")
    assert found.startswith("rules of different kube-proxy versions: ")
    assert "KUBE-XLB- chains (line 3) is from 1.4 to 1.23" in found
    assert "KUBE-EXT- chains (line 4) is from 1.24 or newer" in found


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("*nat\n-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n", "ipvs"),
        ("*nat\n:KUBE-NODE-PORT - [0:0]\nCOMMIT\n", "ipvs"),
        ("*nat\nCOMMIT\n*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n", "elsewhere"),
        ("*nat\n:KUBE-PORTALS-HOST - [0:0]\nCOMMIT\n", "userspace"),
        ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", "no-nat"),
        ("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n", "iptables"),
    ],
)
def test_the_mode_is_recognised(text: str, mode: str) -> None:
    found = era_of(iptviz.load(text.encode()))
    assert found.mode == mode
    assert (mode == "iptables") == bool(found.releases)
    assert sentence(era_remark(found))


@pytest.mark.parametrize("number", [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 100, 319, 1000])
def test_digits_tell_nothing_or_the_truth(number: int) -> None:
    for digits in (5, 10):
        text = f"{float(kubeproxy.kernel_chance(f'{1 / number:.{digits}f}')):.11f}"
        assert digits_of(text) in {None, digits}
    told = digits_of(f"{float(kubeproxy.kernel_chance(f'{1 / number:.5f}')):.11f}")
    assert (told is None) == (number in {2, 4, 5, 8, 10, 100, 1000})


@pytest.mark.parametrize("text", ["0", "1.00000000000", "0.12345678901", "1.2.3", "."])
def test_no_probability_of_kube_proxy_dates_nothing(text: str) -> None:
    assert digits_of(text) is None


OPTIONS: list[dict[str, object]] = [
    {}, {"affinity": 10800}, {"local_only": True, "local": 2}, {"port_name": ""}, {"protocol": "udp"},
    {"external_ips": ("192.0.2.1",), "load_balancer_ips": ("203.0.113.1",), "source_ranges": ("10.0.0.0/8",)},
]  # fmt: skip


@pytest.mark.parametrize(("release", "minor"), [(OLD, 14), (NEW, 29)])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: ",".join(options) or "plain")
@pytest.mark.parametrize("endpoints", [0, 1, 3, 4])
def test_the_truth_is_never_excluded(
    release: str, minor: int, options: dict[str, object], endpoints: int
) -> None:
    services = kubeproxy.numbered(2, endpoints, **options).services  # type: ignore[arg-type]
    dump = iptviz.load(kubeproxy.saved(Cluster((*kubeproxy.basics(), *services), release)).encode())
    found = era_of(dump)
    assert minor in found.releases, sentence(era_remark(found))
    assert len(found.releases) < NEWEST - 1


EXPECTED = {
    "httpd-service": "1.12 to 1.16", "policies-old": "1.12 to 1.16", "policies-today": "1.27 or newer",
    "httpd-today": "1.25 or newer", "gke-1.2-after.rules": "1.2 to 1.8", "k3s-grep-filtered.rules": "1.24 or newer",
    "k8s-1.32-flannel-one-node.rules": "1.25 or newer", "weave-2018-ipset.rules": "1.10 to 1.11",
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_real_dumps_and_fixtures_are_dated(name: str) -> None:
    path = SHARED / "kubernetes" / name if "." in name else ROOT / "fixtures" / name / "dump.rules"
    if not path.exists():
        pytest.skip("the corpus is not here")
    assert sentence(era_remark(era_of(iptviz.load(str(path))))) == f"kube-proxy {EXPECTED[name]}"


def test_the_kubelets_release_is_told_apart() -> None:
    text = (
        "*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-EXT-A -j KUBE-SVC-A\n"
        "-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000\nCOMMIT\n"
    )
    told = iptviz.services(iptviz.load(text.encode())).to_dict()["era"]
    assert (told["kubelet"], told["releases"][0], told["mixed"]) == ("1.4 to 1.27", "1.24", False)


def test_evidence_is_what_bounds() -> None:
    found = era_of(iptviz.load("fixtures/policies-old/dump.rules"))
    assert [cue.text for cue in found.evidence] == [
        "endpoints without comments",
        "probabilities of five digits: 0.33332999982",
    ]


@pytest.mark.parametrize(
    ("minors", "text"),
    [(since(25), "1.25 or later"), (until(16), "1.16 or earlier"), (releases((12, 17)), "1.12 to 1.17"),
     (releases((1, 11), (18, 23)), "1.11 or earlier or 1.18 to 1.23"), (releases((17, 17)), "1.17")],
)  # fmt: skip
def test_releases_read_as_people_write_them(minors: frozenset[int], text: str) -> None:
    assert spans_text(minors) == text


def test_a_large_cluster_without_endpoints_comments_is_not_taken_for_an_old_one() -> None:
    text = kubeproxy.saved(kubeproxy.numbered(101, 10))
    comment = re.compile(
        r'(-A KUBE-(?:SVC|SEP)-.*?)-m comment --comment "[^"]*(?<!cluster IP)" (.*-j (?:KUBE-SEP|DNAT|KUBE-MARK))'
    )
    large = iptviz.load("\n".join(comment.sub(r"\1\2", line) for line in text.split("\n")).encode())
    assert "service-1:http ->" not in bytes(large).decode()
    found = era_of(large)
    assert not found.mixed
    assert 29 in found.releases
    result = iptviz.services(large, sort="line")
    assert len(result.services) == 101
    assert {one.service.named_by for one in result.services} == {"comment"}
    assert {len(one.endpoints) for one in result.services} == {10}
