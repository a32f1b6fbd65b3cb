\set w random(1, 20)
\set stage random(1, 8)
insert into public.contacts (workspace_id, firstname, lastname, email, phone_number, lead_source, lead_status)
values (md5('w' || :w::integer)::uuid, 'New', 'Newcomer', 'new@example.com', '+1 555 0000000', 'web', 'Stage ' || :stage::integer);
