-- No constraint of the lead-centric side is still NOT VALID: rows that were there before it may break it.
create function crmshift.check_constraints_validated(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select t.name, jsonb_build_object('constraint', c.conname), 'constraint is NOT VALID'
  from crmshift.target_table as t
  join pg_catalog.pg_constraint as c on c.conrelid = t.relid
 where not c.convalidated
$$;
comment on function crmshift.check_constraints_validated(uuid) is 'No constraint of the target is still NOT VALID

Do: alter table … validate constraint …; it blocks neither readers nor writers, and names the first row that breaks it.';
