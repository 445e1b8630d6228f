"""What is let on and misses the service that it is for is told as such."""

from __future__ import annotations

import pytest

from tests.conftest import FIXTURES
from tests.program import run

REPORTED = FIXTURES / "ways/reported"
ONE = ("--src", "10.244.1.9", "--mark", "0", "--local-ip", "192.0.2.1")
NOT_DNATED = "ACCEPT, forwarded, not DNATed ({} is a service address: shop/web:http)"


@pytest.mark.parametrize(
    ("dump", "asked", "said"),
    [
        ("63-no-prerouting-jump", ("--dst", "shop/web", *ONE), NOT_DNATED.format("10.97.20.77:80")),
        (
            "27-local-stale",
            ("--dst", "203.0.113.10:80", "--protocol", "tcp", "--src", "198.51.100.7", *ONE[2:]),
            NOT_DNATED.format("203.0.113.10:80"),
        ),
        (
            "61-hostport-takes-services",
            ("--dst", "shop/web", *ONE),
            "ACCEPT, forwarded: to 10.244.1.90:443, no endpoint of shop/web:http, by policy",
        ),
        (
            "63-no-prerouting-jump",
            ("--dst", "shop/web"),
            "ACCEPT, not DNATed (10.97.20.77:80 is a service address: shop/web:http) in all 3 cases",
        ),
    ],
)
def test_the_verdict_says_that_no_endpoint_is_reached(dump: str, asked: tuple[str, ...], said: str) -> None:
    verdict = run("packet", str(REPORTED / f"{dump}.rules"), *asked).stdout.splitlines()[1]
    assert verdict.startswith("Verdict")
    assert said in verdict


@pytest.mark.parametrize(
    ("dump", "asked"),
    [
        ("63-no-prerouting-jump", ("--dst", "shop/web", "--hook", "output")),  # OUTPUT has the jump
        (
            "63-no-prerouting-jump",
            ("--dst", "shop/web", *ONE, "--ctstate", "ESTABLISHED"),
        ),  # nat decided before
        ("63-no-prerouting-jump", ("--dst", "10.97.20.77", *ONE)),  # any port
        ("63-no-prerouting-jump", ("--dst", "10.97.20.77:81", "--protocol", "tcp", *ONE)),
        ("61-hostport-takes-services", ("--dst", "10.244.1.90:443", "--protocol", "tcp", *ONE)),
        ("42-internal-local-none", ("--dst", "shop/web", *ONE)),  # refused, and meant to be
        ("07-kube-router-stale-pod", ("--dst", "shop/web", *ONE)),
    ],
)
def test_nothing_is_said_of_what_is_for_no_service_or_gets_there(dump: str, asked: tuple[str, ...]) -> None:
    answer, *_ = run("packet", str(REPORTED / f"{dump}.rules"), *asked).stdout.partition("\nFinding")
    assert answer
    assert "not DNATed" not in answer
    assert "no endpoint" not in answer
