-- What the steps made, as the catalogue words it, so that validate finds what is gone or altered since, whoever did it.
-- Each step's transaction records what it wrote to the catalogue; taking the step back forgets it.

create table crmshift.installed (
    step       text not null,
    kind       text not null constraint kind_is_known
               check (kind in ('table', 'column', 'constraint', 'index', 'policy', 'trigger', 'view', 'function', 'legacy column', 'grant')),
    subject    text not null,
    name       text not null,
    definition text not null,
    server     integer not null default current_setting('server_version_num')::integer / 10000,
    at         timestamptz not null default clock_timestamp(),
    primary key (step, kind, subject, name)
);
comment on table crmshift.installed is 'Objects that the steps made, as they were then. What is meant to be otherwise now: select crmshift.accept_object(kind, subject, name).';
comment on column crmshift.installed.step is 'Step that made it, or changed it last; accepted: a person said that it is right.';
comment on column crmshift.installed.kind is 'legacy column: one that legacy had when its writes were attached, mapped or left behind. grant: never recorded by a step, but may be accepted.';
comment on column crmshift.installed.subject is 'Table, view or function, schema-qualified.';
comment on column crmshift.installed.name is 'What stands on the table: column, constraint, index, policy, trigger, or the role that is granted something. Empty for a table, view or function.';
comment on column crmshift.installed.definition is 'The statement that makes it, or for a column, legacy column and grant what tells it from another one.';
comment on column crmshift.installed.server is 'Major version of the server that worded the definition.';
comment on column crmshift.installed.at is 'When it was recorded.';

create function crmshift.is_written_here(written xid) returns boolean
language sql stable
as $$
-- A row that can be seen, by a transaction that has not ended: this one, or a subtransaction of it. What is frozen has no age to reckon with.
select case when age($1) <= age(t.id::xid) then pg_xact_status((t.id::text::bigint + age(t.id::xid) - age($1))::text::xid8) = 'in progress' else false end
  from pg_current_xact_id() as t (id)
$$;
comment on function crmshift.is_written_here(xid) is 'Whether the row that has this xmin was written by the present transaction.';

create function crmshift.objects(kinds text[] default null, only_written_here boolean default false)
returns table (kind text, subject text, name text, definition text)
language sql stable
-- All that the wording of a definition depends on.
set search_path = pg_catalog
set quote_all_identifiers = off
set datestyle = iso
set intervalstyle = postgres
set timezone = 'UTC'
set bytea_output = hex
as $$
with relation as (
    select c.oid, c.relkind, c.relispartition, c.relacl, c.reloptions, format('%I.%I', n.nspname, c.relname) as name
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relkind in ('r', 'p', 'v')
), of_table as (
    select * from relation where relkind <> 'v'
), o (kind, subject, name, definition, written) as (
    select 'table', t.name, '', format('create table %s', t.name), a.xmin
      from of_table as t join pg_attribute as a on a.attrelid = t.oid and a.attnum = -1  -- written when a table is made, and never again
    union all
    select 'column', t.name, a.attname::text,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
                     case when a.attgenerated <> '' then 'generated always as (' || pg_get_expr(d.adbin, d.adrelid) || ')'
                          when a.attidentity <> '' then 'generated as identity' else 'default ' || pg_get_expr(d.adbin, d.adrelid) end),
           a.xmin
      from of_table as t
      join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    union all
    -- Whether it is valid, constraints_validated asks; whether a column may be null, the column says.
    select 'constraint', t.name, c.conname::text,
           format('alter table %s add constraint %I %s', t.name, c.conname, regexp_replace(pg_get_constraintdef(c.oid), ' NOT VALID$', '')), c.xmin
      from of_table as t join pg_constraint as c on c.conrelid = t.oid and c.contype not in ('t', 'n') and c.conparentid = 0
    union all
    select 'index', t.name, c.relname::text, pg_get_indexdef(i.indexrelid), i.xmin
      from of_table as t
      join pg_index as i on i.indrelid = t.oid
      join pg_class as c on c.oid = i.indexrelid and not c.relispartition
     where not exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
    union all
    select 'policy', t.name, p.polname::text,
           concat_ws(' ', format('create policy %I on %s as %s for %s to %s', p.polname, t.name,
                                 case when p.polpermissive then 'permissive' else 'restrictive' end,
                                 case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
                                 (select string_agg(case r.oid when 0 then 'public' else quote_ident(pg_get_userbyid(r.oid)) end, ', ' order by r.oid) from unnest(p.polroles) as r (oid))),
                     'using (' || pg_get_expr(p.polqual, p.polrelid) || ')', 'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
           p.xmin
      from of_table as t join pg_policy as p on p.polrelid = t.oid
    union all
    select 'trigger', t.name, g.tgname::text,
           concat_ws('; ', pg_get_triggerdef(g.oid), case g.tgenabled when 'A' then format('alter table %s enable always trigger %I', t.name, g.tgname) end),
           g.xmin
      from of_table as t join pg_trigger as g on g.tgrelid = t.oid and not g.tgisinternal and g.tgparentid = 0
    union all
    select 'view', v.name, '', format(E'create or replace view %s%s as\n%s', v.name, ' with (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid)), r.xmin
      from relation as v join pg_rewrite as r on r.ev_class = v.oid and r.rulename = '_RETURN'
     where v.relkind = 'v'
    union all
    select 'function', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), '', pg_get_functiondef(p.oid), p.xmin
      from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
     where n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and p.prokind in ('f', 'p')
    union all
    -- Those of a table whose writes are followed and that no step made; recorded with its triggers.
    select 'legacy column', t.name, a.attname::text, '', g.xmin
      from of_table as t
      join pg_trigger as g on g.tgrelid = t.oid and g.tgname = 'crmshift_sync_insert'
      join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
     where not t.relispartition and not exists (select from crmshift.installed as i where i.kind = 'table' and i.subject = t.name)
    union all
    select 'grant', t.name, case x.grantee when 0 then 'public' else pg_get_userbyid(x.grantee)::text end,
           string_agg(distinct lower(x.privilege_type), ', ' order by lower(x.privilege_type)), null::xid
      from of_table as t cross join lateral aclexplode(t.relacl) as x
     group by 1, 2, 3
)
select o.kind, o.subject, o.name, o.definition
  from o
 where ($1 is null or o.kind = any ($1))
   and (not $2 or age(o.written) <= age(pg_current_xact_id_if_assigned()::xid) and crmshift.is_written_here(o.written))  -- the age alone is quicker
$$;
comment on function crmshift.objects(text[], boolean) is 'Objects in this database as the catalogue words them now, of some kinds or all.';

create function crmshift.record_objects(of_step text) returns void
language sql
as $$
insert into crmshift.installed as i (step, kind, subject, name, definition)
select $1, o.* from crmshift.objects(only_written_here => true) as o
on conflict (step, kind, subject, name) do update
   set definition = excluded.definition, server = excluded.server, at = excluded.at
$$;
comment on function crmshift.record_objects(text) is 'Record what this transaction has written to the catalogue as the work of a step.';

create function crmshift.accept_object(of_kind text, of_subject text, of_name text default '', of_step text default 'accepted') returns void
language plpgsql
as $$
-- What is there now is right; so it is to be gone, where it is gone.
declare
    now_is text := (select o.definition from crmshift.objects(array[of_kind]) as o where o.subject = of_subject and o.name = of_name);
begin
    if now_is is null then
        delete from crmshift.installed as i where (i.kind, i.subject, i.name) = (of_kind, of_subject, of_name);
    else
        update crmshift.installed as i
           set definition = now_is, server = current_setting('server_version_num')::integer / 10000, at = clock_timestamp()
         where (i.kind, i.subject, i.name) = (of_kind, of_subject, of_name);
    end if;
    if not found and now_is is null then
        raise exception 'There is no % % that could be accepted.', of_kind, concat_ws(' of ', nullif(of_name, ''), of_subject)
            using errcode = 'SH001', hint = 'select kind, subject, name from crmshift.installed lists what is recorded.';
    elsif not found then
        insert into crmshift.installed (step, kind, subject, name, definition) values (of_step, of_kind, of_subject, of_name, now_is);
    end if;
end
$$;
comment on function crmshift.accept_object(text, text, text, text) is 'An object that was changed, dropped or added since is meant to be so: select crmshift.accept_object(''index'', ''public.leads'', ''leads_stage_idx'').';

create function crmshift.altered(kinds text[]) returns table (kind text, subject text, name text, detail text)
language sql stable
as $$
select i.kind, i.subject, i.name,
       case when o.kind is null then format('%s is gone', i.kind)
            else format('%s is not as %s made it', i.kind, i.step)
                 || case when i.server <> current_setting('server_version_num')::integer / 10000
                         then format('; that was under PostgreSQL %s, which may only have worded it otherwise', i.server) else '' end end
  from (select distinct on (kind, subject, name) * from crmshift.installed
         where kind = any ($1) order by kind, subject, name, at desc) as i
  left join crmshift.objects($1) as o using (kind, subject, name)
 -- What stood on a table that is gone went with it: a partition may go, and of any other table check_schema_unaltered says it.
 where o.kind is null and (i.name = '' or to_regclass(i.subject) is not null)
    -- A trigger that also fires for sessions that play a replica does all that it was made for.
    or o.definition <> i.definition and not (i.kind = 'trigger' and starts_with(o.definition, i.definition || '; '))
$$;
comment on function crmshift.altered(text[]) is 'Recorded objects of these kinds that are gone, or are not as they were made.';

create view crmshift.target_table as
select distinct i.subject as name, to_regclass(i.subject) as relid
  from crmshift.installed as i
 where i.kind = 'table' and i.subject not like 'crmshift.%' and to_regclass(i.subject) is not null;
comment on view crmshift.target_table is 'Tables outside of crmshift''s own schema that the steps made: the lead-centric side.';

-- What the step before this one made.
insert into crmshift.installed (step, kind, subject, name, definition)
select 'schema/ledger', o.* from crmshift.objects() as o where o.subject like 'crmshift.%';
