"""Verdicts on what a model wrote: mathematics, letters, programs, unit tests."""
