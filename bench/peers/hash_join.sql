-- One full join of two tables that compares every mapped column: the least that any comparison has to do.
select count(*)
  from public.contacts as c
  full join public.customers as t on t.cst_id = c.id
 where (c.workspace_id, c.firstname, c.lastname, c.email, c.phone_number, c.st_address, c.city, c.state, c.zip, c.created_at)
       is distinct from (t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded)
