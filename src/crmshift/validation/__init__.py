"""Are the two sides right, every row, every column, and if not, where exactly."""
