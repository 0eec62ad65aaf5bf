"""What ``python -m nn`` works with: CSV tables, experiments, and runs that are stored in folders."""
