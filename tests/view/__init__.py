"""Tests of numbers and text for the eye."""
