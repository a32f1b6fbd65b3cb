"""Compares legacy with the target through the mapping: where each column goes, and what is lost or narrowed on the way."""
