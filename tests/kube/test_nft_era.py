"""Which releases of kube-proxy wrote a table of nft: each listing, each cue alone, and those that contradict."""

from __future__ import annotations

import pytest

from iptviz.checks.era import era_remark
from iptviz.checks.wording import sentence
from iptviz.kube.nftables.era import table_era
from iptviz.kube.releases import spans_text
from tests.kubeproxy.features import FEATURES, cluster_with
from tests.nft.told import listing, ruleset_of
from tests.nftproxy import SHAPES, Node, listed

LISTED = {
    "every-1.29.listing": "1.29",
    "every-1.30.listing": "1.30 to 1.33",
    "every-1.34.listing": "1.33 to 1.35",
    "every-1.34.trixie.listing": "1.33 to 1.35",
    "every-1.36.listing": "1.36",
    "every-1.36.json": "1.36",
    "every-1.37.listing": "1.37 or newer",
    "every-1.37.sid.listing": "1.37 or newer",
    "ipv6-1.34.listing": "1.33 to 1.35",
    "ipv6-1.34.json": "1.33 to 1.35",
}


def dated(text: str | bytes, family: str = "ip") -> str:
    table = ruleset_of(text).table(family, "kube-proxy")
    assert table is not None
    return sentence(era_remark(table_era(table))).removeprefix("kube-proxy ")


@pytest.mark.parametrize(("name", "expected"), LISTED.items())
def test_a_listing_is_dated(name: str, expected: str) -> None:
    assert dated(listing(name), "ip6" if name.startswith("ipv6") else "ip") == expected


SERVICE = "service-2QRHZV4L-default/kubernetes/tcp/https"
ENDPOINT = "endpoint-SSXR5YTX-default/kubernetes/tcp/https__192.168.1.10/6443"
DRAWN = f"numgen random mod 1 vmap {{ 0 : goto {ENDPOINT} }}"
KEPT = "ip saddr @affinity-SSXR5YTX-default/kubernetes/tcp/https__192.168.1.10/6443"


def chain(name: str, *rules: str) -> str:
    return "\n".join(
        ["table ip kube-proxy {", f"\tchain {name} {{", *(f"\t\t{rule}" for rule in rules), "\t}", "}", ""]
    )


def named_set(kind: str, name: str) -> str:
    return f"table ip kube-proxy {{\n\t{kind} {name} {{\n\t\ttype ipv4_addr\n\t}}\n}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (chain("services", "ip daddr . meta l4proto . th dport vmap @service-ips"), "1.29 or newer"),
        (chain("endpoints-check", "drop"), "1.29"),
        (chain("filter-output-post-dnat", "accept"), "1.30 to 1.33"),
        (chain("filter-prerouting-pre-dnat", "accept"), "1.33 or newer"),
        # what an update leaves without rules
        (chain("filter-output-post-dnat"), "1.29 or newer"),
        (chain("mark-for-masquerade", "meta mark set meta mark | 0x00004000"), "1.29 or newer"),
        (named_set("set", "firewall"), "1.29"),
        (named_set("set", "cluster-ips"), "1.30 or newer"),
        (named_set("set", "hairpin-connections"), "1.36 or newer"),
        (chain(SERVICE, "ip daddr 10.96.0.1 ip saddr != 10.244.0.0/16 jump mark-for-masquerade"), "1.29 to 1.35"),
        (chain(SERVICE, DRAWN), "1.29 to 1.35"),
        (chain(SERVICE, f"{KEPT} goto {ENDPOINT}", DRAWN), "1.29 or newer"),
        (chain("services", "ip daddr @cluster-ips meta mark set meta mark | 0x00004000"), "1.36 or newer"),
        (chain(SERVICE, "meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.0.0.1 . 80, 1 : 10.0.0.2 . 80 }"),
         "1.36 or newer"),
        (chain(SERVICE, "meta l4proto tcp dnat ip to numgen random mod 1 map { 0 : 10.0.0.1 . 80 }"), "1.36"),
        (chain(SERVICE, "meta l4proto tcp dnat to 192.168.1.10:6443"), "1.37 or newer"),
        (chain(ENDPOINT, "meta l4proto tcp dnat to 192.168.1.10:6443"), "1.29 or newer"),
        # no chain of a service
        (chain("service-mine", DRAWN), "1.29 or newer"),
    ],
)  # fmt: skip
def test_a_form_dates_a_table(text: str, expected: str) -> None:
    assert dated(text) == expected


def test_releases_that_contradict_are_said_with_both_lines() -> None:
    text = named_set("set", "hairpin-connections") + chain("filter-output-post-dnat", "accept")
    assert dated(text) == (
        "rules of different kube-proxy versions: set hairpin-connections (line 2) is from 1.36 or newer, "
        "chain filter-output-post-dnat (line 7) is from 1.30 to 1.33"
    )


def test_json_has_no_lines() -> None:
    found = table_era(ruleset_of(listing("every-1.36.json")).tables["ip", "kube-proxy"])
    assert {cue.line for cue in found.cues} == {0}
    text = (
        listing("every-1.36.json").decode().replace('"filter-output-pre-dnat"', '"filter-output-post-dnat"')
    )
    assert dated(text) == (
        "rules of different kube-proxy versions: chain filter-output-post-dnat is from 1.30 to 1.33, "
        "set hairpin-connections is from 1.36 or newer"
    )


@pytest.mark.parametrize("release", SHAPES)
def test_no_table_excludes_the_release_that_wrote_it(release: str) -> None:
    """Whatever services a cluster has, one at a time: the fewer there are, the less is seen."""
    for feature in FEATURES:
        cluster, _ = cluster_with(feature, "1.35")
        table = ruleset_of(listed(Node(cluster), release)).tables[
            "ip" if cluster.family == 4 else "ip6", "kube-proxy"
        ]
        found = table_era(table)
        assert int(release.removeprefix("1.")) in found.releases, (feature, spans_text(found.releases))
