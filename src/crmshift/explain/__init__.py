"""The life of one row: both sides, the mapping between them, who wrote last, what hangs on it, what waits, what was lost."""
