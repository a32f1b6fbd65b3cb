-- Every customer that has leads has exactly one primary lead. (The unique index sees to at most one, triggers to at least one.)
create function crmshift.check_primary_lead(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text)
language sql stable
as $$
select 'leads', jsonb_build_object('customer_id', l.customer_id), format('%s leads, %s of them primary', count(*), count(*) filter (where l.is_primary))
  from public.leads as l
 where $1 is null or l.workspace_id = $1
 group by l.customer_id
having count(*) filter (where l.is_primary) <> 1
union all
select 'leads', jsonb_build_object('trigger', n.name), case when t.tgname is null then 'trigger is missing' else 'trigger is disabled' end
  from (values ('public.leads', 'crmshift_then_note_insert'), ('public.leads', 'crmshift_then_note_update'),
               ('public.leads', 'crmshift_then_note_delete'), ('public.leads', 'crmshift_then_note_closed'),
               ('public.leads', 'crmshift_ask_primary_lead'), ('public.leads', 'crmshift_then_make_primary_lead'),
               ('crmshift.primary_lead_wanted', 'customer_with_leads_has_a_primary_one')) as n (on_table, name)
  left join pg_catalog.pg_trigger as t on t.tgrelid = to_regclass(n.on_table) and t.tgname = n.name
 where (t.tgname is null or t.tgenabled in ('D', 'R'))
   and (n.name <> 'crmshift_then_note_closed' or exists (select from crmshift.primary_lead_rule as r where r.closed <> '{}'))
$$;
comment on function crmshift.check_primary_lead(uuid) is 'Every customer that has leads has exactly one primary lead';
