-- Under the same id.
-- given in legacy
insert into contacts (id, workspace_id, lead_status) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'new');
insert into appointments (id, contact_id, scheduled_at, apptdate, status, reminder_sent) values
    (7, '00000000-0000-0000-0000-0000000000c1', '2024-01-01 08:00:00.123456Z', '2024-03-01Z', 'open', true),
    (8, '00000000-0000-0000-0000-0000000000c1', null, null, null, null);
-- found
select a.id, l.disposition, a.workspace_id, a.scheduled_at, a.apptdate, a.status, a.reminder_sent
  from lead_appointments as a join leads as l on l.id = a.lead_id order by 1;
-- expected
values (7::bigint, 'new', '00000000-0000-0000-0000-0000000000a1'::uuid, '2024-01-01 08:00:00.123456Z'::timestamptz, '2024-03-01Z'::timestamptz, 'open', true),
       (8, 'new', '00000000-0000-0000-0000-0000000000a1', null, null, null, null);
