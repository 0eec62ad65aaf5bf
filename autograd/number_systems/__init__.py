"""Number systems on which the rules of the table run: floats, arrays, SymPy, written expressions and Values."""
