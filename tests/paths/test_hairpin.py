"""What an endpoint outside the pods' networks sends to itself stands in its rows, or in an entry of its own."""

from __future__ import annotations

from typing import Any

from tests.paths.small import paths_of, service, told

ONE, TWO = "192.0.2.5", "192.0.2.6"
NODE: Any = {"clients": "outside", "local": ("192.168.1.10",)}
EACH = [f"1/2 {ONE}:8080 ACCEPT as MASQUERADE", f"1/2 {TWO}:8080 ACCEPT as MASQUERADE"]


def test_what_does_not_differ_for_an_endpoint_itself_is_not_told_apart() -> None:
    assert told(*service([ONE, TWO]), **NODE) == {"outside": EACH}


def test_what_differs_for_an_endpoint_itself_alone_stands_in_its_rows() -> None:
    rule = f"filter|-A FORWARD -s {ONE}/32 -d {ONE}/32 -j DROP"
    assert told(*service([ONE, TWO], rule), **NODE) == {
        "outside": [
            f"{EACH[0]} if source not in {ONE}",
            f"1/2 {ONE}:8080 DROP by filter FORWARD 1 if source in {ONE}",
            EACH[1],
        ]
    }


def test_where_more_differs_it_has_an_entry_of_its_own() -> None:
    rule = f"filter|-A FORWARD -s {ONE}/32 -m conntrack --ctstate NEW -j DROP"
    assert told(*service([ONE, TWO], rule), **NODE) == {
        f"outside if source not in {ONE}": EACH,
        f"outside if source in {ONE}": [
            f"1/2 {end}:8080 DROP by filter FORWARD 1" for end in (ONE, TWO)
        ],
    }  # fmt: skip


def test_pods_among_endpoints_are_not_asked_about_themselves() -> None:
    rule = "filter|-A FORWARD -s 10.244.1.5/32 -d 10.244.1.5/32 -j DROP"
    each = ["1/2 10.244.1.5:8080 ACCEPT", "1/2 10.244.1.6:8080 ACCEPT"]
    assert told(*service(("10.244.1.5", "10.244.1.6"), rule), clients="pod") == {"pod": each}


def test_what_many_send_to_themselves_is_said_not_to_be_looked_at() -> None:
    many = [f"192.0.2.{number}" for number in range(1, 12)]
    assumed = [one.text for one in paths_of(*service(many)).assumed]
    assert "source not in 192.0.2.9,192.0.2.10,192.0.2.11" in assumed
