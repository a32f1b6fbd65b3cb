-- The first 20 whose name begins so.
\set w random(1, 20)
\set letters random(1, 999)
select id, firstname, lastname, email, phone_number
  from public.contacts
 where workspace_id = md5('w' || :w::integer)::uuid
   and lower(lastname) >= 'name' || :letters::integer and lower(lastname) < 'name' || :letters::integer || '~'
 order by lower(lastname)
 limit 20;
