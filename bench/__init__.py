"""Benchmarks: generated captures, Greffier and its peers side by side on one core. Never a timed test."""
