-- Of three leads, the one that is primary; its source, disposition and appointment status.
-- given on the target
insert into customers (cst_id, workspace_id, lastchanged) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', '2024-01-01Z');
insert into leads (customer_id, workspace_id, is_primary, source, disposition, appointment_status, lastchangedon) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', true, 'fair', 'won', 'kept', '2024-03-01Z'),
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', false, 'web', 'lost', null, '2024-04-01Z'),
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', false, 'phone', 'new', null, '2024-05-01Z');
-- found
select lead_source, lead_status, appointment_status, updated_at from contacts;
-- expected
values ('fair', 'won', 'kept', '2024-03-01Z'::timestamptz);
