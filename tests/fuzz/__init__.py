"""Fuzzing: what must hold for any input, programs that look for exceptions, and what they found."""
