-- The functions and views of crmshift do what they did when they were made: their bodies, their settings, their rights; and so do the
-- statements in crmshift.capture, which the trigger functions execute.
create function crmshift.check_functions_unaltered(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select a.subject, jsonb_build_object(a.kind, a.subject), a.detail
  from crmshift.altered(array['function', 'view']) as a
union all
select 'crmshift.capture', jsonb_build_object('source', source, 'operation', operation),
       case when w.source is null then 'its statements are gone' else 'its statements are not as crmshift.capture_of words them' end
  from (select w.* from (select distinct i.subject from crmshift.installed as i where i.kind = 'trigger' and i.name = 'crmshift_sync_insert') as s
         cross join lateral crmshift.capture_of(s.subject) as w
         where exists (select from crmshift.feed as f where f.source = s.subject)
           -- Without its primary key there are none to word; of a table of the target check_schema_unaltered says it.
           and exists (select from pg_catalog.pg_index as i where i.indrelid = to_regclass(s.subject) and i.indisprimary)) as e
  left join crmshift.capture as w using (source, operation)
 where w is distinct from e
$$;
comment on function crmshift.check_functions_unaltered(uuid) is 'Functions and views are as they were made

Do: crmshift.installed has the statement that makes it. If it is meant so: select crmshift.accept_object(kind, subject).';
