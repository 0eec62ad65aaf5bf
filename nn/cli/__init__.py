"""The command line ``python -m nn``: its options, CSV tables, and runs that are stored in folders."""
