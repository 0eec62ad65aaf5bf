"""The command line's work: a configuration, its data from a file, and runs in folders."""
