"""What a validation says, as files for those who were not there: pipelines, reviewers, managers.

Each module renders one format from a `Validation` and opens no connection. Keys and columns only; values where findings carry them.
"""
