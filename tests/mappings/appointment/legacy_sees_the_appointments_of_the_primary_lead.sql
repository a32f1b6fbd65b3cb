-- And none of the others.
-- given on the target
insert into customers (cst_id, workspace_id) values ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1');
insert into leads (id, customer_id, workspace_id, is_primary) values
    ('00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', true),
    ('00000000-0000-0000-0000-0000000000e2', '00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', false);
insert into lead_appointments (id, lead_id, workspace_id, scheduled_at, apptdate, status, reminder_sent) values
    (7, '00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000a1', null, '2024-03-01Z', 'of the primary one', false),
    (8, '00000000-0000-0000-0000-0000000000e2', '00000000-0000-0000-0000-0000000000a1', null, '2024-03-02Z', 'of the other', false);
-- found
select id, contact_id, scheduled_at, apptdate, status, reminder_sent from appointments;
-- expected
values (7::bigint, '00000000-0000-0000-0000-0000000000c1'::uuid, null::timestamptz, '2024-03-01Z'::timestamptz, 'of the primary one', false);
