"""The graphs of other scalar engines as Values."""
