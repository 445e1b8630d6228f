"""Tests of the whole way of connections."""
