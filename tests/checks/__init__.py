"""Tests of findings and their words."""
