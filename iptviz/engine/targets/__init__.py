"""What each target does to a packet: `table.py` has a row for each, the others explain them."""
