-- The target's columns are text: whatever fits legacy fits there.
-- given in legacy
insert into contacts (workspace_id, phone_number, state, st_address) values
    ('00000000-0000-0000-0000-0000000000a1', repeat('5', 255), repeat('ß', 255), repeat('x', 10000));
-- found
select length(phone1), length(state), length(address1) from customers;
-- expected
values (255, 255, 10000);
