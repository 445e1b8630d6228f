"""The jump graph of listings of nft: jumps and gotos of rules, and of the maps that they ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import iptviz
from iptviz.errors import AbsentError, TargetError

LISTINGS = Path(__file__).parent.parent / "nft" / "listings"
TABLE = "ip kube-proxy"
OWN = """\
table inet mine {
	map ways {
		type inet_service : verdict
		elements = { 22 : jump ssh, 80 : goto web,
			81 : goto web, 23 : drop }
	}
	chain first {
		type filter hook input priority filter - 5; policy drop;
		tcp dport vmap @ways
		meta l4proto vmap { icmp : jump pings, 50 : accept }
		jump ssh
	}
	chain ssh {
		accept
	}
	chain web {
		goto ssh
	}
	chain pings {
	}
	chain alone {
		accept
	}
}
"""


def drawn(path: Path | str, **options: Any) -> iptviz.GraphResult:
    return iptviz.graph(iptviz.load_node(str(path)), **options)


def led(result: iptviz.GraphResult) -> dict[tuple[str, str], tuple[list[int], bool]]:
    return {
        (jump.tail[1], jump.head[1]): ([rule.line for rule in jump.rules], jump.goto) for jump in result.jumps
    }


def test_rules_and_elements_of_maps_lead_to_chains(tmp_path: Path) -> None:
    path = tmp_path / "ruleset.nft"
    path.write_text(OWN)
    result = drawn(path)
    assert led(result) == {
        ("first", "ssh"): ([4, 11], False),
        ("first", "web"): ([4, 5], True),
        ("first", "pings"): ([10], False),
        ("web", "ssh"): ([17], True),
    }
    first, *others = result.chains
    assert (first.policy, first.rules) == ("drop", 3)
    assert first.hook is not None
    assert first.hook.text == "filter hook input priority -5"
    assert [(one.chain, one.policy, one.hook) for one in others] == [
        (name, None, None) for name in ("ssh", "web", "pings", "alone")
    ]


def test_tables_are_named_with_or_without_their_family() -> None:
    path = LISTINGS / "every-1.36.listing"
    assert led(drawn(path, tables=["kube-proxy"])) == led(drawn(path, tables=[TABLE]))
    with pytest.raises(TargetError, match='no table "nat" in this listing'):
        drawn(path, tables=["nat"])
    with pytest.raises(AbsentError, match='no chain "KUBE-SERVICES" in this listing'):
        drawn(path, around="KUBE-SERVICES")
    with pytest.raises(AbsentError, match='no service matches "nobody" in this listing'):
        drawn(path, focus="nobody")


def test_on_the_path_of_a_target_are_what_leads_there_and_what_is_behind() -> None:
    near = drawn(LISTINGS / "every-1.36.listing", focus="shop/admin")
    assert {one.chain for one in near.chains} == {
        "filter-prerouting-pre-dnat", "filter-output-pre-dnat", "firewall-check", "nat-prerouting", "nat-output",
        "services", "firewall-5VTFFMAC-shop/admin/udp/http", "external-5VTFFMAC-shop/admin/udp/http",
        "service-5VTFFMAC-shop/admin/udp/http",
    }  # fmt: skip
    refused = drawn(LISTINGS / "every-1.36.listing", focus="10.96.20.8")
    assert {"service-endpoints-check", "reject-chain"} <= {one.chain for one in refused.chains}


@pytest.mark.parametrize("name", ["every-1.36", "ipv6-1.34"])
def test_json_and_text_are_one_graph(name: str) -> None:
    of_text, of_json = (drawn(LISTINGS / f"{name}.{form}") for form in ("listing", "json"))
    assert set(led(of_text)) == set(led(of_json))
    assert of_text.chains == of_json.chains
    assert all(jump["lines"] == [] for jump in of_json.to_dict()["jumps"])


def test_around_a_chain_is_what_is_near_it() -> None:
    near = drawn(LISTINGS / "every-1.30.listing", around="reject-chain", depth=1)
    assert {one.chain for one in near.chains} == {
        "reject-chain", "service-endpoints-check", "nodeport-endpoints-check",
    }  # fmt: skip
