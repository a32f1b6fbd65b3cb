-- Leads and contacts are truncated while another session's appointment is queued for them.
-- session C
begin;
truncate leads cascade;
-- session A
insert into appointments (contact_id, status) values ('00000000-0000-0000-0000-0000000000c1', 'V1');
-- session C
truncate contacts cascade;
commit;
-- agreement
