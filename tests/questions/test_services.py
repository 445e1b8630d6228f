"""Which services are listed, in which order, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import iptviz
from iptviz.checks.wording import sentences
from iptviz.cli.app import app
from iptviz.paths.fares import fails
from iptviz.view.services import services_table
from tests import kubeproxy, program
from tests.kubeproxy import Cluster
from tests.questions.made_reached import DEPENDS, IN_PART, NOT_BY_POD, YES, made

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.kube.service_ports import ServicePort
    from tests.questions.made_reached import PathsOfPort

TODAY = "fixtures/policies-today/dump.rules"


def names(path: str = TODAY, **options: Any) -> list[str]:
    return [one.name for one in iptviz.services(iptviz.load(path), **options).services]


ALL = [
    "default/admin:http", "default/away:http", "default/kubernetes:https", "default/shop:http",
    "kube-system/kube-dns:dns", "kube-system/kube-dns:dns-tcp", "kube-system/kube-dns:metrics",
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ALL),
        ({"namespace": "default"}, ALL[:4]),
        ({"namespace": "nowhere"}, []),
        ({"uneven": True}, []),
        ({"no_endpoints": True}, []),
        ({"endpoint": "10.244.0.7"}, ["default/shop:http"]),
        ({"endpoint": "10.244.0.2:53"}, ALL[4:6]),
        ({"endpoint": "10.244.0.2:54"}, []),
        ({"sort": "endpoints", "namespace": "default"}, [ALL[3], ALL[0], ALL[1], ALL[2]]),
        ({"sort": "address"}, [ALL[2], *ALL[4:], ALL[3], ALL[0], ALL[1]]),
        ({"sort": "uneven"}, [ALL[3], *ALL[:3], *ALL[4:]]),
    ],
)
def test_services_are_chosen_and_sorted(options: dict[str, Any], expected: list[str]) -> None:
    assert names(**options) == expected


def test_the_order_of_lines_is_that_of_the_dump() -> None:
    result = iptviz.services(iptviz.load(TODAY), sort="line")
    lines = [min(answer.frontend.rule.line for answer in one.answers) for one in result.services]
    assert lines == sorted(lines)
    assert result.total == 7


def test_an_uneven_service_is_found() -> None:
    text = kubeproxy.saved(kubeproxy.numbered(3, 3))
    broken = text.replace("0.33333333349", "0.50000000000", 1)
    result = iptviz.services(iptviz.load(broken.encode()), uneven=True)
    assert len(result.services) == 1
    assert result.total == 3
    assert iptviz.services(iptviz.load(text.encode()), uneven=True).services == ()


def test_shares_are_not_told_where_a_rule_that_is_not_understood_decides_about_them() -> None:
    text = kubeproxy.saved(kubeproxy.numbered(3, 3))
    odd = text.replace("-m statistic --mode random --probability 0.33333333349", "--odd 1", 1)
    result = iptviz.services(iptviz.load(odd.encode()))
    (place,) = [at for at, port in enumerate(result.services) if port.usual.unread]
    assert result.services[place].balance is None
    assert {end["exact"] for end in result.to_dict()["services"][place]["endpoints"]} == {None}
    row = services_table(result, fold=False).rows[place]
    assert {"depends on a rule that is not understood", "at least 2"} <= {cell.text for cell in row.cells}
    assert not iptviz.services(iptviz.load(odd.encode()), uneven=True).services


def test_a_service_without_endpoints_is_found() -> None:
    cluster = Cluster((*kubeproxy.numbered(1, 2).services, *kubeproxy.numbered(2, 0).services[1:]))
    result = iptviz.services(iptviz.load(kubeproxy.saved(cluster).encode()), no_endpoints=True)
    assert [one.name for one in result.services] == ["team-1/service-1:http"]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"endpoint": "web"}, 'invalid endpoint "web"'), ({"sort": "age"}, 'cannot sort by "age"')],
)
def test_what_cannot_be_asked_is_said(options: dict[str, Any], said: str) -> None:
    with pytest.raises(iptviz.TargetError, match=said):
        names(**options)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n", "no nat table"),
        ("*nat\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n", "no KUBE-SERVICES chain"),
        (
            "*nat\n-A KUBE-SERVICES -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\nCOMMIT\n",
            "IPVS mode",
        ),
        ("*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n", "leads to a service"),
    ],
)
def test_where_there_are_none_it_is_said_why(text: str, note: str) -> None:
    result = iptviz.services(iptviz.load(text.encode()))
    assert result.services == ()
    assert any(note in one for one in sentences(result.notes))


def test_a_hook_that_leads_to_no_service_is_told() -> None:
    text = Path(TODAY).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines(keepends=True) if not line.startswith("-A PREROUTING")]
    result = iptviz.services(iptviz.load("".join(lines).encode()))
    assert "nat PREROUTING has no jump to KUBE-SERVICES" in result.to_dict()["notes"][0]


def test_the_document_has_the_shape_of_the_contract() -> None:
    document = iptviz.services(iptviz.load(TODAY)).to_dict()
    assert document["schema"] == "iptviz.services.v1"
    one = next(one for one in document["services"] if one["service"]["name"] == "away")
    assert one["frontends"][0] == {
        "kind": "cluster-ip", "address": "10.97.20.3", "port": 80, "protocol": "tcp",
        "line": one["frontends"][0]["line"], "addresses": None, "reached": one["frontends"][0]["reached"],
    }  # fmt: skip
    assert one["endpoints"] == [{"address": "10.244.2.9", "port": 8080, "probability": 1.0, "exact": "1/1"}]
    assert one["policy"] == {"internal": "Cluster", "external": "Local"}
    assert [(met["verdict"]["kind"], met["endpoints"]) for met in one["outside"]] == [
        ("DROP", []),
        ("DROP", []),
    ]
    assert one["verdict"] is None
    assert one["session_affinity"] is None


def _surveyed(monkeypatch: pytest.MonkeyPatch, *of_port: PathsOfPort) -> None:
    """Have every list of services looked at, the first ones with these ways."""

    def reached_in(_rules: Any, ports: Iterable[ServicePort], _known: Any, **_: Any) -> Any:
        return made(tuple(ports), of_port)

    monkeypatch.setattr("iptviz.questions.services.reached_in", reached_in)


def test_what_fails_is_listed_then_what_may_fail_and_what_is_not_known_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _surveyed(monkeypatch, (DEPENDS,), (NOT_BY_POD,), (None,), (YES, IN_PART, YES, YES))
    result = iptviz.services(iptviz.load(TODAY), failing=True)
    assert [port.name for port in result.services] == [ALL[1], ALL[3], ALL[0]]
    assert [len(port) for port in result.reached] == [len(port.answers) for port in result.services]
    assert [fails(port) for port in result.reached] == [True, True, False]
    assert result.total == 7
    (note,) = [note for note in sentences(result.notes) if "not listed" in note]
    assert note.startswith(
        "1 other service port not listed: whether all clients reach it depends on conditions"
    )


DROPPING = "fixtures/ways/reported/22-docker-forward-drop.rules"


def test_what_fails_as_a_rule_is_no_all_clear() -> None:
    ended = program.run("services", "--failing", "--exit-code", DROPPING)
    assert ended.returncode == 1
    assert "5 service ports, 5 depending on conditions" in ended.stdout
    assert ended.stdout.count("depends: pod") >= 5


@pytest.mark.parametrize(
    "path",
    [
        "policies-old/dump.rules",  # the node at an external IP
        "ways/reported/37-no-localhost-nodeports.rules",
        "checks/forward-drop/near-blocklist.rules",
        "checks/forward-drop/near-containers.rules",
        "checks/foreign-dnat-first/near-interface.rules",
    ],
)
def test_what_only_clients_meet_whom_a_rule_singles_out_is_not_listed_but_counted(path: str) -> None:
    (answer, *others) = iptviz.services(iptviz.load(f"fixtures/{path}"), failing=True).answers
    assert all(map(fails, answer.reached))
    assert not others
    assert any("not listed" in note for note in sentences(answer.notes))


def test_where_all_is_reached_nothing_is_listed_under_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    _surveyed(monkeypatch)
    result = iptviz.services(iptviz.load(TODAY), failing=True)
    assert (result.services, result.notes) == ((), ())


def test_who_reaches_them_follows_the_order_of_the_services(monkeypatch: pytest.MonkeyPatch) -> None:
    _surveyed(monkeypatch, (NOT_BY_POD,))
    result = iptviz.services(iptviz.load(TODAY), sort="address")
    assert fails(result.reached[0])
    assert not any(map(fails, result.reached[1:]))


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--failing", "--exit-code"), 1),
        (("--failing",), 0),
        (("--exit-code",), 0),
        (("--no-endpoints", "--exit-code"), 0),
        (("--failing", "--namespace", "kube-system", "--exit-code"), 0),
    ],
)
def test_scripts_can_ask_by_the_exit_status(
    arguments: tuple[str, ...], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _surveyed(monkeypatch, (YES,) if "kube-system" in arguments else (NOT_BY_POD,))
    assert CliRunner().invoke(app, ["services", TODAY, *arguments]).exit_code == status


def test_the_exit_status_tells_of_services_without_endpoints() -> None:
    asked = ["services", "fixtures/httpd-no-endpoints/dump.rules", "--no-endpoints", "--exit-code"]
    assert CliRunner().invoke(app, asked).exit_code == 1


def test_that_no_node_port_is_at_the_loopback_of_ipv6_is_as_kube_proxy_means_it() -> None:
    result = iptviz.services(iptviz.load("fixtures/httpd-dual-stack/dump6.rules"))
    assert {fare.word for port in result.reached for one in port for fare in one.fares} == {"yes"}
