-- Undoes schema/compare_rows.
drop function crmshift.compare_rows(text, uuid, jsonb, jsonb, double precision, bigint, xid8, integer);
drop function crmshift.written_since(text, xid8, jsonb, jsonb);
drop function crmshift.key_ranges(text, bigint);
