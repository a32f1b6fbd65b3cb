-- Every table that feeds a mapping has its four triggers, enabled; so has every partition of one, for a statement that names
-- a partition fires no trigger of the table.
create function crmshift.check_triggers_attached(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select s.name, jsonb_build_object('trigger', n.name),
       case when t.tgname is not null then 'trigger is disabled'
            when s.partition then format('trigger is missing: select crmshift.attach_partition(%L), then crmshift validate --repair', s.name)
            else 'trigger is missing' end
  from (select f.source as name, false as partition from crmshift.feed as f
        union
        select p.name, true from crmshift.feed as f cross join lateral crmshift.partitions_of(f.source) as p) as s
 cross join (values ('crmshift_sync_insert'), ('crmshift_sync_update'), ('crmshift_sync_delete'), ('crmshift_sync_truncate')) as n (name)
  left join pg_catalog.pg_trigger as t on t.tgrelid = to_regclass(s.name) and t.tgname = n.name
 where t.tgname is null or t.tgenabled in ('D', 'R')
$$;
comment on function crmshift.check_triggers_attached(uuid) is 'Every mapped table and every partition of one has its sync triggers, enabled';
