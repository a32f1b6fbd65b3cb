-- Every column of the person arrives under its new name.
-- given in legacy
insert into contacts (id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, created_at, updated_at) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'Ada', 'Abel', 'ada@example.com', '+49 228 1',
     'Markt 1', 'Bonn', 'NRW', '53111', '2024-01-01 10:00:00.123456+00', '2024-02-01 10:00:00.654321+00');
-- found
select cst_id, workspace_id, firstname, lastname, email, phone1, address1, address2, city, state, zip, dateadded, lastchanged,
       created_at, updated_at from customers;
-- expected
values ('00000000-0000-0000-0000-0000000000c1'::uuid, '00000000-0000-0000-0000-0000000000a1'::uuid, 'Ada', 'Abel', 'ada@example.com', '+49 228 1',
        'Markt 1', null, 'Bonn', 'NRW', '53111', '2024-01-01 10:00:00.123456+00'::timestamptz, '2024-02-01 10:00:00.654321+00'::timestamptz,
        '2024-01-01 10:00:00.123456+00'::timestamptz, '2024-02-01 10:00:00.654321+00'::timestamptz);
