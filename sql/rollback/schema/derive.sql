-- Undoes schema/derive.
drop function crmshift.describe_source(text);
drop function crmshift.describe_mapping(text);
drop view crmshift.mapping_reads;
drop function crmshift.trigger_statements(jsonb);
drop function crmshift.mapping_statements(jsonb);
