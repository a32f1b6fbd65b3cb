"""The SQL that makes one schema equal to another: what each object takes, in which order, and what it costs."""
