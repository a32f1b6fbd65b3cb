-- Undoes schema/derive_triggers.
drop function crmshift.trigger_statements(jsonb);
