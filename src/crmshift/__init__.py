"""crmshift: move a live CRM from contacts to customers and leads, in PostgreSQL, without downtime."""

__version__ = "0.1.0"
