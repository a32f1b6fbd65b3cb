-- The earliest by date of entry; legacy then sees that one.
-- given on the target
insert into customers (cst_id, workspace_id) values ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1');
insert into leads (customer_id, workspace_id, disposition, entrydate) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'second', '2024-02-01Z'),
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'first', '2024-01-01Z');
-- found
select lead_status, (select string_agg(disposition, ' ') from leads where is_primary) from contacts;
-- expected
values ('first', 'first');
