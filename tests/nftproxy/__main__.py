"""Print a table: `python -m tests.nftproxy SERVICES ENDPOINTS [SHAPE]`."""

import sys

from tests.kubeproxy import numbered
from tests.nftproxy import Node, listed

services, endpoints, *shape = sys.argv[1:]
sys.stdout.write(listed(Node(numbered(int(services), int(endpoints))), shape[0] if shape else "1.36"))
