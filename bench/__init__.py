"""Measurements: ratios within one run, interleaved, medians and spread. `make bench` measures all, `make bench-quick` all at small scale."""
