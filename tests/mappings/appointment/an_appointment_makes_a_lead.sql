-- A contact without any lead fact but with an appointment has a lead, for an appointment is about one.
-- given in legacy
insert into contacts (id, workspace_id, created_at) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', '2024-01-01Z');
insert into appointments (id, contact_id, status) values (7, '00000000-0000-0000-0000-0000000000c1', 'open');
-- found
select a.id, a.status, l.is_primary, l.disposition, l.source, l.entrydate from lead_appointments as a join leads as l on l.id = a.lead_id;
-- expected
values (7::bigint, 'open', true, null, null, '2024-01-01Z'::timestamptz);
