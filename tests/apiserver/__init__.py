"""A small API server on loopback, and kubectls of several releases that ask it: what kubectl prints, really printed.

The server keeps objects that tests write and answers as Kubernetes does: discovery of both kinds, lists in
chunks, tables, warnings, refusals. The kubectls are those of packages in `requirements.txt`.
"""

from tests.apiserver.discovery import Resource
from tests.apiserver.releases import RELEASES, Kubectl, Printed, why_not
from tests.apiserver.server import ApiServer

__all__ = ["RELEASES", "ApiServer", "Kubectl", "Printed", "Resource", "why_not"]
