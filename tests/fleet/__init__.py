"""Tests of fleets: where input comes from, running side by side, the cache, the command."""
