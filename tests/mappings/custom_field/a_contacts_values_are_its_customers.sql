-- With the workspace of the contact; NULL and '' are two things.
-- given in legacy
insert into contacts (id, workspace_id) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1'),
    ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a2');
insert into contact_custom_fields (contact_id, field_id, value, created_at) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000f1', null, null),
    ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000f2', '', '2024-01-01 00:00:00.000001Z');
-- found
select customer_id, field_id, workspace_id, value, created_at from customer_custom_fields order by 1;
-- expected
values ('00000000-0000-0000-0000-0000000000c1'::uuid, '00000000-0000-0000-0000-0000000000f1'::uuid, '00000000-0000-0000-0000-0000000000a1'::uuid, null, null::timestamptz),
       ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000f2', '00000000-0000-0000-0000-0000000000a2', '', '2024-01-01 00:00:00.000001Z');
