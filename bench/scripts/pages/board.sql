-- The 50 contacts of one stage that changed last, with their next appointments.
\set w random(1, 20)
\set stage random(1, 8)
select c.id, c.firstname, c.lastname, c.city, c.lead_source, c.updated_at,
       (select min(a.apptdate) from public.appointments as a where a.contact_id = c.id) as apptdate
  from public.contacts as c
 where c.workspace_id = md5('w' || :w::integer)::uuid and c.lead_status = 'Stage ' || :stage::integer
 order by c.updated_at desc
 limit 50;
