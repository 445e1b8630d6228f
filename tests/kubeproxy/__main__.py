"""Print a dump: `python -m tests.kubeproxy SERVICES ENDPOINTS [ERA]`."""

import sys

from tests.kubeproxy import NEW, numbered, saved

services, endpoints, *era = sys.argv[1:]
sys.stdout.write(saved(numbered(int(services), int(endpoints), era=era[0] if era else NEW)))
