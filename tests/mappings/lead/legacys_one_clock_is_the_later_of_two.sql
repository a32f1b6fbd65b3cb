-- Of the customer and its primary lead; where only one of them has a clock, that one.
-- given on the target
insert into customers (cst_id, workspace_id, firstname, lastchanged) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'lead later', '2024-01-01Z'),
    ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a1', 'customer later', '2024-06-01Z'),
    ('00000000-0000-0000-0000-0000000000c3', '00000000-0000-0000-0000-0000000000a1', 'lead only', null),
    ('00000000-0000-0000-0000-0000000000c4', '00000000-0000-0000-0000-0000000000a1', 'customer only', '2024-06-01Z'),
    ('00000000-0000-0000-0000-0000000000c5', '00000000-0000-0000-0000-0000000000a1', 'neither', null);
insert into leads (customer_id, workspace_id, is_primary, lastchangedon)
select cst_id, workspace_id, true, case when firstname in ('customer only', 'neither') then null else '2024-03-01Z'::timestamptz end from customers;
-- found
select firstname, updated_at from contacts order by 1;
-- expected
values ('customer later', '2024-06-01Z'::timestamptz), ('customer only', '2024-06-01Z'), ('lead later', '2024-03-01Z'), ('lead only', '2024-03-01Z'), ('neither', null);
