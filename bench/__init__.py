"""Benchmarks: what Careline's machine work costs beside what it is built on."""
