"""Random histories over both sides of the migration: whatever applications do, crmshift keeps its promises."""
