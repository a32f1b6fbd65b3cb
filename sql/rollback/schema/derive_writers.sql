-- Undoes schema/derive_writers.
drop function crmshift.mapping_statements(jsonb);
