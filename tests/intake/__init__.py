"""Dumps as they come: decorated, broken, several in one text."""
