"""The tables of either side, as the shipped plan has them."""

from __future__ import annotations

LEGACY = ("contacts", "contact_custom_fields", "appointments")
TARGET = (
    "customers",
    "leads",
    "customer_custom_fields",
    "lead_appointments",
    "lead_custom_fields",
    "appointment_custom_fields",
)
MAPPED = (*LEGACY, *TARGET[:4])
"""Those that a mapping writes."""
