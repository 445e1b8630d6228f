"""The document of a diff: what a reader gets where the plain case is not all."""

from __future__ import annotations

import sys
from fractions import Fraction

from iptviz.compare.ports.compared import compared
from iptviz.compare.ports.form import EndpointForm
from iptviz.documents.diff_v1 import ports_shape
from tests.compare.test_ports import frontend, port

ENDPOINTS = 500
"""Of so many the last one's share has more digits than Python writes at once."""


def test_shares_of_hundreds_of_endpoints_are_written_to_the_last_digit() -> None:
    """Each rule's chance has 31 bits, so the n-th share has a denominator of as many times 31."""
    share = Fraction(1, (1 << 31) ** ENDPOINTS)
    others = [EndpointForm(f"10.1.0.{place}", 80, part) for place, part in ((1, share), (2, 1 - share))]
    swapped = [others[0]._replace(share=1 - share), others[1]._replace(share=share)]
    changes = compared([port(frontend(to=tuple(others)))], [port(frontend(to=tuple(swapped)))])
    (changed,) = ports_shape(changes)["changed"]
    (one, _) = changed["shares_changed"]
    numerator, _, denominator = one["old"].partition("/")
    assert numerator == "1"
    assert len(denominator) > sys.get_int_max_str_digits()
    assert denominator.endswith("6")  # a power of two that is one of 16
    left, _, same = one["new"].partition("/")
    assert (same, left[-1]) == (denominator, "5")
