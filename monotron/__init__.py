"""Monotron gives out the next number of a named series over HTTP."""

__version__ = "0.1.0"
