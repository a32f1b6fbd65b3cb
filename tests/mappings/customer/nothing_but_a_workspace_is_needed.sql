-- A contact may lack everything; an empty string stays one, and is not NULL.
-- given in legacy
insert into contacts (id, workspace_id, firstname, created_at, updated_at) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', null, null, null),
    ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a2', '', '-infinity', 'infinity');
-- found
select cst_id, workspace_id, firstname, lastname, dateadded::text, lastchanged::text from customers order by 1;
-- expected
values ('00000000-0000-0000-0000-0000000000c1'::uuid, '00000000-0000-0000-0000-0000000000a1'::uuid, null, null, null, null),
       ('00000000-0000-0000-0000-0000000000c2', '00000000-0000-0000-0000-0000000000a2', '', null, '-infinity', 'infinity');
