"""Listings without -n: ports and addresses have names there, and services and trace know one truth about them."""

from __future__ import annotations

from fractions import Fraction

import pytest

import iptviz

HEAD = "target     prot opt source               destination\n"
ROWS = {
    "PREROUTING (policy ACCEPT)": (
        "KUBE-SERVICES  all  --  anywhere  anywhere  /* kubernetes service portals */",
    ),
    "KUBE-SERVICES (2 references)": (
        "KUBE-SVC-A  tcp  --  anywhere  svc-a.example.internal  /* default/web:http cluster IP */ tcp dpt:http-alt",
        "KUBE-SVC-B  tcp  --  anywhere  svc-b.example.internal  /* default/api:http cluster IP */ tcp dpt:http-alt",
        "KUBE-SVC-B  tcp  --  anywhere  10.96.0.9  /* default/num:http cluster IP */ tcp dpt:http",
    ),
    "KUBE-SVC-A (1 references)": (
        "KUBE-SEP-A  all  --  anywhere  anywhere  /* default/web:http -> 10.244.0.2:80 */ statistic mode random probability 0.50000000000",
        "KUBE-SEP-B  all  --  anywhere  anywhere  /* default/web:http -> 10.244.0.3:80 */",
    ),
    "KUBE-SVC-B (2 references)": (
        "KUBE-SEP-B  all  --  anywhere  anywhere  /* default/api:http -> 10.244.0.3:80 */",
    ),
    "KUBE-SEP-A (1 references)": (
        "DNAT  tcp  --  anywhere  anywhere  /* default/web:http */ tcp to:10.244.0.2:80",
    ),
    "KUBE-SEP-B (2 references)": (
        "DNAT  tcp  --  anywhere  anywhere  /* default/web:http */ tcp to:10.244.0.3:80",
    ),
}
HALF = Fraction(1, 2)


def dump(rows: dict[str, tuple[str, ...]] = ROWS) -> iptviz.Dump:
    text = "".join(
        f"Chain {name}\n{HEAD}" + "".join(f"{row}\n" for row in those) + "\n" for name, those in rows.items()
    )
    return iptviz.load(f"$ iptables -t nat -L\n{text}".encode())


def with_service_rule(row: str) -> iptviz.Dump:
    rows = dict(ROWS)
    rows["KUBE-SERVICES (2 references)"] = (row, *rows["KUBE-SERVICES (2 references)"])
    return dump(rows)


@pytest.mark.parametrize(
    ("target", "frontend", "ends"),
    [
        ("default/web", "svc-a.example.internal:8080/tcp", {"10.244.0.2:80": HALF, "10.244.0.3:80": HALF}),
        ("default/api", "svc-b.example.internal:8080/tcp", {"10.244.0.3:80": Fraction(1)}),
        ("10.96.0.9:80", "10.96.0.9:80/tcp", {"10.244.0.3:80": Fraction(1)}),
    ],
)
def test_a_service_is_asked_at_its_own_name(target: str, frontend: str, ends: dict[str, Fraction]) -> None:
    result = iptviz.trace(dump(), target)
    (traced,) = result.services
    (outcome,) = traced.outcomes
    assert traced.frontend.text == frontend
    assert {end.text: end.share for end in outcome.endpoints} == ends
    (entry,) = [one for one in result.to_dict()["services"][0]["paths"] if "outside" in one["clients"]]
    assert entry["when"] == []
    assert {f"{one['address']}:{one['port']}": one["probability"] for one in entry["endpoints"]} == {
        end: float(share) for end, share in ends.items()
    }


def test_services_says_the_same() -> None:
    found = {one.service.name: one.usual for one in iptviz.services(dump()).services}
    shares = {name: [end.share for end in usual.endpoints] for name, usual in found.items()}
    assert shares == {"web": [HALF, HALF], "api": [1]}  # two addresses lead to api


def test_whether_a_name_lies_in_a_network_is_not_known() -> None:
    first = "ACCEPT  tcp  --  anywhere  10.96.0.0/12"
    traced = iptviz.trace(with_service_rule(first), "default/web").services[0]
    assert {need.condition.value for outcome in traced.outcomes for need in outcome.when} == {"10.96.0.0/12"}


def test_a_connection_that_is_not_rewritten_goes_on_to_the_name() -> None:
    result = iptviz.trace(
        with_service_rule("RETURN  all  --  anywhere  svc-a.example.internal"), "default/web"
    )
    paths = result.to_dict()["services"][0]["paths"]
    assert {left["to"] for entry in paths for left in entry["leftover"]} == {"svc-a.example.internal:8080"}
