"""What `iptviz check` finds of services in nftables mode: elements that are gone, and chains that drop connections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.nft.told import listing
from tests.program import run

if TYPE_CHECKING:
    from pathlib import Path

SHAPES = ("1.29", "1.30", "1.34", "1.36", "1.37")
HEALTHY = {"local-drop", "no-endpoints"}
"""What these nodes have on purpose."""


def found_in(text: str, tmp_path: Path, *beside: str) -> dict[str, dict[str, Any]]:
    path = tmp_path / "ruleset.nft"
    path.write_text(text)
    done = run("check", str(path), *beside, "--json")
    assert done.stderr == ""
    return {finding["id"]: finding for finding in json.loads(done.stdout)["findings"]}


def text_of(shape: str) -> str:
    return listing(f"every-{shape}.listing").decode()


def without(text: str, element: str) -> str:
    """Return a listing without an element of a map, as `nft delete element` leaves it."""
    assert text.count(f"{element},") == 1
    return text.replace(f"{element},", "", 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_whole_table_lacks_nothing(shape: str, tmp_path: Path) -> None:
    assert set(found_in(text_of(shape), tmp_path)) == HEALTHY


@pytest.mark.parametrize("shape", SHAPES)
def test_an_element_of_a_cluster_ip_that_is_gone(shape: str, tmp_path: Path) -> None:
    text = without(text_of(shape), "10.96.20.1 . tcp . 80 : goto service-KHN6ECMT-shop/web/tcp/http")
    found = found_in(text, tmp_path)["nft-element-missing"]
    assert found["severity"] == "high"
    assert "shop/web:http" in found["message"] or "10.96.20.1" in found["message"]
    shown = text.splitlines()
    assert "service-KHN6ECMT" in shown[found["evidence"][0]["line"] - 1] or shape != "1.29"


def test_an_element_of_an_external_address_that_is_gone(tmp_path: Path) -> None:
    text = without(text_of("1.36"), "203.0.113.20 . udp . 443 : goto external-GJT5PWHS-shop/api/udp/")
    assert "nft-element-missing" not in found_in(text, tmp_path)  # the node port still leads there
    text = without(text, "udp . 30443 : goto external-GJT5PWHS-shop/api/udp/")
    found = found_in(text, tmp_path)["nft-element-missing"]
    assert found["message"].endswith(
        "(shop/api): the external IP, load-balancer IP or node port of it does not answer"
    )


def test_chains_that_kube_proxy_has_emptied_are_normal(tmp_path: Path) -> None:
    stale = "\tchain service-AAAAAAAA-old/gone/tcp/http {\n\t}\n\n\tchain reject-chain {"
    text = text_of("1.36").replace("\tchain reject-chain {", stale, 1)
    assert set(found_in(text, tmp_path)) == HEALTHY


@pytest.mark.parametrize(
    ("chain", "said"),
    [
        ("type filter hook forward priority filter; policy drop;", "policy DROP of inet host fence drops connections to"),
        (
            "type filter hook forward priority filter + 10; policy accept;\n\t\tip daddr 10.244.0.0/16 tcp dport 8080 drop",
            "rule 1 of inet host fence drops connections to",
        ),
    ],
)  # fmt: skip
def test_a_chain_of_others_that_ends_connections(chain: str, said: str, tmp_path: Path) -> None:
    text = f"{text_of('1.36')}table inet host {{\n\tchain fence {{\n\t\t{chain}\n\t}}\n}}\n"
    found = found_in(text, tmp_path)["nft-ends-connections"]
    assert said in found["message"]
    assert "service port" in found["message"]


def test_what_another_table_accepts_kube_proxys_rejects_are_no_fault_of_others(tmp_path: Path) -> None:
    chain = "type filter hook forward priority filter; policy accept;\n\t\taccept"
    text = f"{text_of('1.36')}table inet host {{\n\tchain open {{\n\t\t{chain}\n\t}}\n}}\n"
    assert set(found_in(text, tmp_path)) == HEALTHY


def test_a_node_that_forwards_nothing(tmp_path: Path) -> None:
    sysctl = tmp_path / "sysctl.txt"
    sysctl.write_text("net.ipv4.ip_forward = 0\n")
    found = found_in(text_of("1.36"), tmp_path, "--sysctl", str(sysctl))
    assert "net.ipv4.ip_forward" in found["forwarding-off"]["message"]


def test_a_balancing_map_with_a_key_missing_leaks(tmp_path: Path) -> None:
    whole = "{ 0 : 10.244.0.5 . 8080, 1 : 10.244.1.5 . 8080, 2 : 10.244.2.5 . 8080 }"
    text = text_of("1.36")
    assert whole in text
    found = found_in(text.replace(whole, "{ 0 : 10.244.0.5 . 8080, 2 : 10.244.2.5 . 8080 }"), tmp_path)
    assert "33.33 %" in found["connections-lost"]["message"]


def test_a_name_whose_hash_is_anothers(tmp_path: Path) -> None:
    text = text_of("1.36").replace("-KHN6ECMT-shop/web/tcp/http", "-KHN6ECMT-shop/www/tcp/http")
    assert "KHN6ECMT" in found_in(text, tmp_path)["nft-hash-mismatch"]["message"]
