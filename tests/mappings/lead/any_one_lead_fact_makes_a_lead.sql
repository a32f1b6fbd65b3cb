-- A source alone, a status alone, an appointment status alone, even an empty one; but no contact without any.
-- given in legacy
insert into contacts (workspace_id, firstname, lead_source, lead_status, appointment_status) values
    ('00000000-0000-0000-0000-0000000000a1', 'source', 'fair', null, null),
    ('00000000-0000-0000-0000-0000000000a1', 'status', null, 'new', null),
    ('00000000-0000-0000-0000-0000000000a1', 'appointment status', null, null, 'kept'),
    ('00000000-0000-0000-0000-0000000000a1', 'empty', null, '', null),
    ('00000000-0000-0000-0000-0000000000a1', 'nothing', null, null, null);
-- found
select firstname, source, disposition, appointment_status from leads join customers on cst_id = customer_id order by 1;
-- expected
values ('appointment status', null, null, 'kept'), ('empty', null, '', null), ('source', 'fair', null, null), ('status', null, 'new', null);
