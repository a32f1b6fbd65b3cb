-- Undoes schema/derive_triggers.
drop function crmshift.attach_partition(regclass);
drop function crmshift.partitions_of(text);
drop function crmshift.trigger_statements(jsonb);
