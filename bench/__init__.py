"""Measurements: ratios within one run, interleaved, medians. Run with `make bench`; `make bench ARGS=--quick` takes a minute."""
