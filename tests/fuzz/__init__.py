"""Fuzzing: what must hold for any input, programs that look for one where it does not, and what they found."""
