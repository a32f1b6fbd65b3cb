-- Every column legacy has arrives under its old name; the second line of the address has no place there.
-- given on the target
insert into customers (cst_id, workspace_id, firstname, lastname, email, phone1, address1, address2, city, state, zip, dateadded, lastchanged) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'Ada', 'Abel', 'ada@example.com', '+49 228 1',
     'Markt 1', 'c/o Babbage', 'Bonn', 'NRW', '53111', '2024-01-01 10:00:00.123456+00', '2024-02-01 10:00:00.654321+00');
-- found
select id, workspace_id, firstname, lastname, email, phone_number, st_address, city, state, zip, lead_source, lead_status, appointment_status,
       created_at, updated_at from contacts;
-- expected
values ('00000000-0000-0000-0000-0000000000c1'::uuid, '00000000-0000-0000-0000-0000000000a1'::uuid, 'Ada', 'Abel', 'ada@example.com', '+49 228 1',
        'Markt 1', 'Bonn', 'NRW', '53111', null, null, null, '2024-01-01 10:00:00.123456+00'::timestamptz, '2024-02-01 10:00:00.654321+00'::timestamptz);
