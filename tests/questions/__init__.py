"""Tests of `iptviz.questions`."""
