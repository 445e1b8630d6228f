"""Bytes to model and back, without loss: source, index, words, rule, model."""
