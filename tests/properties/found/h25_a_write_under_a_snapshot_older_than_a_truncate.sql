-- To a snapshot older than a TRUNCATE the table looks empty: nothing is brought back from there.
-- session A
begin isolation level repeatable read;
update customers set workspace_id = '00000000-0000-0000-0000-0000000000a1' where cst_id in ('00000000-0000-0000-0000-0000000000c1');
-- session B
truncate contacts cascade;
-- session A
update customers set zip = 'V2' where cst_id = '00000000-0000-0000-0000-0000000000c1';
commit;
-- agreement
-- expect: select count(*) = 1 from crmshift.conflict_log where kind = 'delete_origin_differs'
