"""Tests that let a kernel judge: rules are loaded into network namespaces, and connections counted."""
