-- Every table that feeds a mapping has its four triggers, enabled; so has every partition of one, for a statement that names
-- a partition fires no trigger of the table. These and all others that the steps made are as they were made.
create function crmshift.check_triggers_attached(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
with expected as (
    select s.name, s.partition, n.name as trigger
      from (select f.source as name, false as partition from crmshift.feed as f
            union
            select p.name, true from crmshift.feed as f cross join lateral crmshift.partitions_of(f.source) as p) as s
     cross join (values ('crmshift_sync_insert'), ('crmshift_sync_update'), ('crmshift_sync_delete'), ('crmshift_sync_truncate')) as n (name)
    union
    select i.subject, coalesce(c.relispartition, false), i.name
      from crmshift.installed as i join pg_catalog.pg_class as c on c.oid = to_regclass(i.subject)
     where i.kind = 'trigger' and not c.relispartition  -- those of a partition above, as long as it is one
), altered as materialized (
    select * from crmshift.altered(array['trigger'])
)
select e.name, jsonb_build_object('trigger', e.trigger),
       case when t.tgname is null and e.partition
            then format('trigger is missing: select crmshift.attach_partition(%L), then crmshift validate --repair', e.name)
            when t.tgname is null then 'trigger is missing'
            when t.tgenabled in ('D', 'R') then 'trigger is disabled'
            else a.detail end
  from expected as e
  left join pg_catalog.pg_trigger as t on t.tgrelid = to_regclass(e.name) and t.tgname = e.trigger
  left join altered as a on to_regclass(a.subject) = to_regclass(e.name) and a.name = e.trigger
 where t.tgname is null or t.tgenabled in ('D', 'R') or a.name is not null
$$;
comment on function crmshift.check_triggers_attached(uuid) is 'Every mapped table and every partition of one has its triggers, enabled and as they were made

Do: crmshift.installed has the statement that makes it; alter table … enable trigger … switches one on again. Then crmshift validate --repair for what was missed: with --from target where it is the target''s writes that were.';
