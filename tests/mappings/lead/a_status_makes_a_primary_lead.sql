-- The lead facts of a contact are its customer's primary lead, entered when the contact was.
-- given in legacy
insert into contacts (id, workspace_id, lead_source, lead_status, appointment_status, created_at, updated_at) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', 'fair', 'new', 'confirmed', '2024-01-01Z', '2024-02-01Z');
-- found
select customer_id, workspace_id, is_primary, source, disposition, appointment_status, entrydate, lastchangedon,
       productid, sourcesubdescr, stg_id, apptdate, lastchangedby from leads;
-- expected
values ('00000000-0000-0000-0000-0000000000c1'::uuid, '00000000-0000-0000-0000-0000000000a1'::uuid, true, 'fair', 'new', 'confirmed',
        '2024-01-01Z'::timestamptz, '2024-02-01Z'::timestamptz, null, null, null::integer, null::timestamptz, null);
