"""Compares schemas: what PostgreSQL's catalogue says of one database against another, or against what files make of one."""
