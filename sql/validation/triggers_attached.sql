-- Every table that feeds a mapping has its four triggers, enabled.
create function crmshift.check_triggers_attached(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select s.source, jsonb_build_object('trigger', n.name),
       case when t.tgname is null then 'trigger is missing' else 'trigger is disabled' end
  from (select distinct source from crmshift.feed) as s
 cross join (values ('crmshift_sync_insert'), ('crmshift_sync_update'), ('crmshift_sync_delete'), ('crmshift_sync_truncate')) as n (name)
  left join pg_catalog.pg_trigger as t on t.tgrelid = to_regclass(s.source) and t.tgname = n.name
 where t.tgname is null or t.tgenabled in ('D', 'R')
$$;
comment on function crmshift.check_triggers_attached(uuid) is 'Every mapped table has its sync triggers, enabled';
