"""Converts the graphs of other scalar engines to Values."""
