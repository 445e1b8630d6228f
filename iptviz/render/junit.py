"""JUnit's XML, for CI servers: a suite for each dump, in it a test for each kind of finding that was looked for.

A test fails where a finding is more than information. It has one failure for all its findings, since servers show
no more than one; information is output of a test that passes. Where a dump has no service, tests of services are
skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from iptviz.render.findings import (
    LEVELS,
    NOTE,
    details_of,
    dump_in,
    dumps_in,
    looked_at,
    message_of,
    path_of,
    why_no_services,
)
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.documents.shapes import Shape


def junit_text(document: Shape) -> str:
    """Return the findings of a document as the result of tests; it is never folded."""
    root = ET.Element("testsuites", name="iptviz check")
    for dump in dumps_in(document):
        mine = [one for one in document["findings"] if dump_in(document, one) is dump]
        root.append(_suite(document, dump, mine))
    _count(root)
    ET.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{declaration}{ET.tostring(root, encoding='unicode')}\n"


def _suite(document: Shape, dump: Shape, findings: list[Shape]) -> ET.Element:
    suite = ET.Element("testsuite", name=printable(path_of(dump)))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("looked at", looked_at(document)), ("written by", dump["tool"] or "not said")):
        ET.SubElement(properties, "property", name=name, value=printable(value))
    skipped = _skipped(document, dump)
    for what in document["looked_for"]:
        case = _case(what, dump, [one for one in findings if one["id"] == what])
        if what in skipped and not len(case):
            ET.SubElement(case, "skipped", message=why_no_services(document) or _NO_SERVICES)
        suite.append(case)
    _count(suite)
    return suite


_NO_SERVICES = "This dump has no service port."


def _skipped(document: Shape, dump: Shape) -> set[str]:
    """Return what is looked for at services, where a dump has none."""
    from iptviz.checks.registry import OF_SERVICES, catalogue

    if dump.get("service_ports", document["service_ports"]):
        return set()
    return {what for name in OF_SERVICES for what in catalogue(name).diagnoses}


def _case(what: str, dump: Shape, findings: list[Shape]) -> ET.Element:
    case = ET.Element("testcase", classname="iptviz.check", name=what, file=printable(path_of(dump)))
    bad = [one for one in findings if LEVELS[one["severity"]] != NOTE]
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        message = f"{message_of(bad[0])}{more}"
        failure = ET.SubElement(case, "failure", type=bad[0]["severity"], message=message)
        failure.text = _told(bad)
    if len(bad) < len(findings):
        told = ET.SubElement(case, "system-out")
        told.text = _told([one for one in findings if one not in bad])
    return case


def _told(findings: list[Shape]) -> str:
    """Return each finding in lines: its sentence, the rules, why it matters and what to do."""
    return "\n\n".join(
        "\n".join([f"{one['severity']}: {message_of(one)}", *details_of(one)]) for one in findings
    )


def _count(element: ET.Element) -> None:
    """Say of how many tests something consists, how many of them failed, and how many were skipped."""
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    element.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    element.set("errors", "0")
    element.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
