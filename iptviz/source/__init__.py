"""Bytes: from a path, standard input or memory, out of compressed files and bundles."""
