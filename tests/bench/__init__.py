"""Benchmarks, run by hand: they print ratios and judge nothing."""
