"""The grammar of kube-proxy's comments: every form, what is none, the generator's releases, hostile texts."""

from __future__ import annotations

import re
import time

import pytest

import iptviz
from iptviz.kube.comments import (
    FORMS,
    GENERAL,
    HEALTH_CHECK,
    NO_LOCAL_ENDPOINTS,
    NOT_ADMITTED,
    WAY,
    CommentForm,
    container_of_comment,
    read_comment,
    service_of_comment,
)
from iptviz.kube.frontends import FRONTEND_KINDS
from tests import kubeproxy
from tests.kubeproxy.eras import ERAS

NAMES = [("shop/web:http", "http"), ("shop/web", ""), ("shop/web:", "")]


def written(form: CommentForm, name: str) -> str:
    """A comment of a form."""
    rest = {WAY: "10.244.0.5:8080", NOT_ADMITTED: "KUBE-FW-TLEJTH2VCYBKUDCH"}.get(form, "")
    return f"{form.before.replace('N', '17')}{name}{form.after}{rest}"


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.says}{form.after}")
@pytest.mark.parametrize(("name", "port"), NAMES)
def test_a_comment_of_every_form_is_read_as_what_it_says(form: CommentForm, name: str, port: str) -> None:
    found = read_comment(written(form, name))
    assert found is not None
    assert found.form is form
    assert found.service == ("shop", "web", port, "comment")
    assert f"{found.before}{found.name}{form.after}{found.rest}" == written(form, name)
    assert bool(found.rest) == form.open


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.says}{form.after}")
def test_a_row_is_whole(form: CommentForm) -> None:
    assert form.frontend in {"", *FRONTEND_KINDS}
    assert 1 <= form.first <= form.last
    assert [row for row in FORMS if (row.before, row.after) == (form.before, form.after)] == [form]


def test_what_a_name_is_that_nobody_can_read_is_left_open() -> None:
    found = read_comment("X/Y cluster IP")
    assert found is not None
    assert (found.form.frontend, found.service.named_by) == ("cluster-ip", "none")
    assert service_of_comment("X/Y cluster IP") is None


@pytest.mark.parametrize(
    "text",
    [None, "", " ", *sorted(GENERAL), "shop/web cluster", "shop/web cluster IP ", " shop/web cluster IP", "shop/web  -> x",
     "Balancing rule for shop/web", "Balancing rule 1 for shop/web cluster IP", "other traffic to shop/web",
     "shop/web has no local", "a b cluster IP"],
)  # fmt: skip
def test_what_has_no_form_names_nobody(text: str | None) -> None:
    assert service_of_comment(text) is None


def test_words_about_traffic_that_nobody_read_yet_still_name_their_service() -> None:
    found = read_comment("masquerade traffic for shop/web some new destinations")
    assert found is not None
    assert (found.form.says, found.service.text, found.rest) == (
        "some traffic",
        "shop/web",
        "some new destinations",
    )
    assert found.form not in FORMS


@pytest.mark.parametrize("era", ERAS)
def test_every_comment_of_a_release_has_a_form_of_that_release(era: str) -> None:
    minor = int(era.removeprefix("1."))
    options = {
        "external_ips": ("192.0.2.1",),
        "load_balancer_ips": ("203.0.113.1",),
        "source_ranges": ("10.0.0.0/8",),
    }
    clusters = [
        kubeproxy.numbered(2, 3, era=era, local_only=True, local=local, affinity=10800, **options)  # type: ignore[arg-type]
        for local in (0, 1, 3)
    ]
    clusters += [kubeproxy.numbered(2, 0, era=era, **options)]  # type: ignore[arg-type]
    seen = {
        text for cluster in clusters for text in re.findall(r'--comment "([^"]*)"', kubeproxy.saved(cluster))
    }
    assert len(seen) > 5
    for text in seen - GENERAL:
        found = read_comment(text)
        assert found is not None, text
        assert found.service.named_by == "comment", text
        # 1.19, which nobody read, may have begun what is first seen in 1.20
        assert found.form.first <= minor <= found.form.last, f"{text} in {era}"


def test_what_a_comment_says_decides() -> None:
    rule = '-A KUBE-NODEPORTS -p tcp -m comment --comment "shop/web{}" -m tcp --dport 32000 -j ACCEPT'
    head = (
        "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment "
        '--comment "shop/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-A\nCOMMIT\n*filter\n:KUBE-NODEPORTS - [0:0]\n'
    )

    def asked(ending: str) -> int | None:
        dump = iptviz.load(f"{head}{rule.format(ending)}\nCOMMIT\n".encode())
        return iptviz.services(dump).services[0].health_check

    assert asked(HEALTH_CHECK.after) == 32000
    assert asked(f" and{HEALTH_CHECK.after}") is None
    assert asked(NO_LOCAL_ENDPOINTS.after) is None


@pytest.mark.parametrize(
    "text",
    ["a" * 200_000, "a/" * 100_000, "a-" * 100_000 + "/" + "b." * 100_000, " " * 200_000, "Balancing rule " + "1" * 200_000,
     "a/b" + " -> " * 50_000, "masquerade traffic for " * 10_000, "a/b:" + "c-" * 100_000],
    ids=range(8),
)  # fmt: skip
def test_long_hostile_comments_take_no_time(text: str) -> None:
    start = time.process_time()
    read = [read_comment(text), read_comment(f"{text} cluster IP")]
    assert [found.service.text for found in read if found and len(found.service.text) > 10_000] == []
    assert container_of_comment(f'dnat name: "{text}') is None
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"dnat name: \"cbr0\" id: \"0123456789abcdef0123\"", ("cbr0", "0123456789abcdef0123")),
        ('dnat name: "podman" id: "01', ("podman", "01")),  # portmap cuts at 255 characters
        ('my dnat name: "cbr0" id: "0"', None),
        ("shop/web cluster IP", None),
    ],
)
def test_portmaps_comment_names_network_and_container(text: str, expected: tuple[str, str] | None) -> None:
    assert container_of_comment(text) == expected
