"""The chain rule written out: readers that say in words and formulas what ``backward`` multiplied and added."""
