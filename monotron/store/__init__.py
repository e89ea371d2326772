"""The store: a contract (`contract.py`) and one module for each engine."""
