-- Undoes schema/describe.
drop function crmshift.describe_source(text);
drop function crmshift.describe_mapping(text);
drop view crmshift.mapping_reads;
