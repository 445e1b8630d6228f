"""What iptables' options become: `table.py` has a row for each match, `targets.py` one for each target."""
