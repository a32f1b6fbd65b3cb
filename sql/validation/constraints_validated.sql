-- Every constraint of the lead-centric side holds: rows that were there before one that is NOT VALID may break it, and a foreign
-- key whose triggers are off (alter table … disable trigger all) is kept by nobody.
create function crmshift.check_constraints_validated(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select t.name, jsonb_build_object('constraint', c.conname), said.detail
  from crmshift.target_table as t
  join pg_catalog.pg_constraint as c on c.conrelid = t.relid
 cross join lateral (
        select 'constraint is NOT VALID' where not c.convalidated
        union all
        select distinct format('constraint is turned off: its triggers on %I.%I are disabled', n.nspname, r.relname)
          from pg_catalog.pg_trigger as g
          join pg_catalog.pg_class as r on r.oid = g.tgrelid
          join pg_catalog.pg_namespace as n on n.oid = r.relnamespace
         where g.tgconstraint = c.oid and g.tgenabled in ('D', 'R')) as said (detail)
$$;
comment on function crmshift.check_constraints_validated(uuid) is 'Every constraint of the target is valid and turned on

Do: alter table … validate constraint … blocks neither readers nor writers, and names the first row that breaks it. alter table … enable trigger all turns foreign keys on again; what was written meanwhile nobody looked at: orphans does.';
