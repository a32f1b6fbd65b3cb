-- No constraint of a mapped table is still NOT VALID.
create function crmshift.check_constraints_validated(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select c.conrelid::regclass::text, jsonb_build_object('constraint', c.conname), 'constraint is NOT VALID'
  from pg_catalog.pg_constraint as c
 where not c.convalidated
   and c.conrelid in (select m.target::regclass from crmshift.mapping as m where m.direction = 'to_target')
$$;
comment on function crmshift.check_constraints_validated(uuid) is 'No constraint of the target is still NOT VALID';
