"""Tests mirror the package; `kernel` needs network namespaces, `bench` is run by hand."""
