"""Ports that others than kube-proxy publish."""

from __future__ import annotations

import pytest

import iptviz
from iptviz.kube.published import published_ports
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from tests import kubeproxy
from tests.conftest import SHARED

PORTMAP = r"""*nat
:CNI-HOSTPORT-DNAT - [0:0]
:CNI-DN-aaaaaaaaaaaaaaaaaaaaa - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
-A CNI-DN-aaaaaaaaaaaaaaaaaaaaa -s 10.244.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
-A CNI-DN-aaaaaaaaaaaaaaaaaaaaa -p tcp -m tcp --dport 8080 -j DNAT --to-destination 10.244.0.5:80
-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"cbr0\" id: \"0123456789abcdef0123\"" -m multiport --dports 8080,8443 -j CNI-DN-aaaaaaaaaaaaaaaaaaaaa
COMMIT
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PORTMAP, [(":8080/tcp", "10.244.0.5:80", "CNI host port", "cbr0 0123456789ab", 6)]),
        ("*nat\n-A DOCKER ! -i docker0 -p udp -m udp --dport 53 -j DNAT --to-destination 172.17.0.4:5353\nCOMMIT\n",
         [(":53/udp", "172.17.0.4:5353", "Docker", "", 2)]),
        ("*nat\n-A DOCKER -d 192.168.1.10/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 172.17.0.4:80\nCOMMIT\n",
         [("192.168.1.10:80/tcp", "172.17.0.4:80", "Docker", "", 2)]),
        ('*nat\n-A PREROUTING -p tcp -m comment --comment "my proxy" -m tcp --dport 80 -j REDIRECT --to-ports 8080\nCOMMIT\n',
         [(":80/tcp", ":8080", "PREROUTING", "my proxy", 2)]),
        ("*nat\n-A PREROUTING -j DNAT --to-destination 10.0.0.1\nCOMMIT\n",
         [(":any port/any", "10.0.0.1", "PREROUTING", "", 2)]),
        (kubeproxy.saved(kubeproxy.numbered(3, 3)), []),
        ("*filter\n-A INPUT -j DROP\nCOMMIT\n", []),
    ],
)  # fmt: skip
def test_a_published_port_says_where_it_goes_and_whose_it_is(
    text: str, expected: list[tuple[object, ...]]
) -> None:
    found = published_ports(iptviz.load(text.encode()))
    assert [(one.text, one.destination, one.by, one.of, one.rule.line) for one in found] == expected


def test_they_are_listed_when_asked_for() -> None:
    dump = iptviz.load(PORTMAP.encode())
    assert iptviz.services(dump).to_dict()["published"] == []
    result = iptviz.services(dump, published=True)
    assert [one["destination"] for one in result.to_dict()["published"]] == ["10.244.0.5:80"]
    for name in ("table", "markdown"):
        assert "10.244.0.5:80" in FORMATS[name].writer("services")(result, Style(), fold=True)


@pytest.mark.skipif(not SHARED.exists(), reason="the corpus is not here")
def test_dockers_port_in_a_real_dump() -> None:
    dump = iptviz.load(str(SHARED / "firewalls/configs-serverfault-758088.txt.rules"))
    assert [(one.text, one.destination, one.by) for one in published_ports(dump)] == [
        (":8080/tcp", "172.17.0.4:3000", "Docker")
    ]
