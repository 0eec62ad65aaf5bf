"""The implementation of ``python -m nn``: CSV tables, experiments, and runs stored in folders."""
