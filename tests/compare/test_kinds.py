"""A kind of difference of service ports has its place in each table that knows all of them."""

from __future__ import annotations

from typing import get_args

from iptviz.checks import comparing
from iptviz.compare.ports import compared
from iptviz.compare.ports.differences import (
    FRONTEND_CHANGES,
    PROPERTY_CHANGES,
    EndpointKind,
    NotCompared,
    PortProperty,
)
from iptviz.documents import differing
from iptviz.questions import api_differences
from iptviz.view import diff_services

ALL = {"reached", *get_args(EndpointKind), *FRONTEND_CHANGES, *PROPERTY_CHANGES}

BEYOND_THE_API = {"reached", "leftover", "verdict", "local only", "masquerade", "node port addresses"}
"""What rules do and the API says nothing of: `verify` has no rows of them."""


def test_every_kind_has_its_place_among_the_worst_and_the_rest() -> None:
    assert set(compared._ORDER) == ALL
    assert len(compared._ORDER) == len(ALL)


def test_every_kind_is_told_once() -> None:
    told = [kind for kinds, _ in diff_services._ORDER for kind in kinds]
    assert sorted(told) == sorted(ALL)


def test_every_property_has_a_name_and_a_text() -> None:
    assert set(differing._PROPERTIES) == PROPERTY_CHANGES


def test_every_property_of_a_port_is_compared_and_so_named_where_it_is_not() -> None:
    assert {kind for kind, *_ in compared._PROPERTIES} == set(get_args(PortProperty))
    named = {kind for part in get_args(NotCompared) for kind in get_args(part) or (part,)}
    assert set(comparing._PROPERTIES) == named
    assert {"services", *get_args(PortProperty)} == comparing._OWN_TO_PORTS


def test_verify_has_a_row_for_every_kind_that_the_api_says_something_of() -> None:
    assert set(api_differences._KINDS) == ALL - BEYOND_THE_API
    assert set(api_differences._TEXTS) == set(get_args(PortProperty))
