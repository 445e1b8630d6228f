"""Source ranges of load balancers, apart from the addresses of these, which kube-proxy admits with the node."""

from __future__ import annotations

import pytest

from iptviz.kube.nftables.frontends import Frontends
from iptviz.kube.nftables.table import table_in
from iptviz.nft.read import read_ruleset

CHAIN = "firewall-5VTFFMAC-shop/admin/udp/http"
TABLE = """table ip kube-proxy {{
	map firewall-ips {{
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = {{ 203.0.113.10 . udp . 80 : goto {chain}, 203.0.113.11 . udp . 80 : goto {chain}, 203.0.113.12 . udp . 80 : goto firewall-AAAAAAAA-shop/other/udp/http }}
	}}
	map no-endpoint-services {{
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = {{ 203.0.113.10 . udp . 80 comment "shop/admin:http" : goto reject-chain }}
	}}
	set cluster-ips {{
		type ipv4_addr
		elements = {{ 10.96.20.5 }}
	}}
	chain filter-input {{
		type filter hook input priority filter; policy accept;
		ip daddr . meta l4proto . th dport vmap @no-endpoint-services
	}}
	chain filter-prerouting-pre-dnat {{
		type filter hook prerouting priority dstnat - 10; policy accept;
		ip daddr . meta l4proto . th dport vmap @firewall-ips
	}}
	chain reject-chain {{
		reject
	}}
	chain {chain} {{
		ip saddr != {{ {ranges} }} drop
	}}
	chain firewall-AAAAAAAA-shop/other/udp/http {{
		ip saddr != 192.0.2.0/24 drop
	}}
}}
"""


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("192.168.1.0/24, 203.0.113.10, 203.0.113.11", ("192.168.1.0/24",)),
        ("192.168.1.0/24, 203.0.113.10/31", ("192.168.1.0/24",)),
        ("192.168.1.0/24, 203.0.113.8/29", ("192.168.1.0/24", "203.0.113.8/29")),
        ("192.168.1.0/24, 203.0.113.12", ("192.168.1.0/24", "203.0.113.12/32")),
    ],
    ids=["each", "merged", "a network around them", "of another service"],
)
def test_the_addresses_of_the_load_balancers_themselves_are_no_ranges(
    written: str, told: tuple[str, ...]
) -> None:
    table = table_in(read_ruleset(TABLE.format(chain=CHAIN, ranges=written).encode(), "x"), "ipv4")
    assert table is not None
    found = Frontends(table)
    (one,) = found.at_address("203.0.113.10")
    assert found.source_ranges(one) == told
    assert one.kind == "load-balancer-ip"  # also without endpoints
