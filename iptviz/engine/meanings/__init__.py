"""What each basic option and each match means: `table.py` has a row for each, the others explain them."""
