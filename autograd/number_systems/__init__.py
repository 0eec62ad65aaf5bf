"""Number systems that the rules of the table run on: floats, arrays, SymPy and written expressions, Values."""
