-- No status is lost in translation. The mappings as they come pass a status on as it is; one of yours may translate it, and then a
-- value it does not know becomes NULL. Asked of the mapping only where a status meets none: where both are there, drift compares them.
create function crmshift.check_unmapped_statuses(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text, workspace uuid)
language sql stable
as $$
select 'contacts', jsonb_build_object('id', c.id), concat_ws(' ', s.name, 'means nothing to the mapping leads'), c.workspace_id
  from public.contacts as c
  left join public.leads as l on l.customer_id = c.id and l.is_primary
  left join lateral (select e.disposition, e.appointment_status from crmshift.leads_expected as e where e.customer_id = c.id limit 1) as e on true
 cross join lateral (values ('lead_status', c.lead_status is not null and l.disposition is null and e.disposition is null),
                            ('appointment_status', c.appointment_status is not null and l.appointment_status is null and e.appointment_status is null)) as s (name, lost)
 where ($1 is null or c.workspace_id = $1)
   and (c.lead_status is not null and l.disposition is null or c.appointment_status is not null and l.appointment_status is null)
   and s.lost
union all
select 'leads', jsonb_build_object('customer_id', l.customer_id), concat_ws(' ', s.name, 'means nothing to the mapping contacts'), l.workspace_id
  from public.leads as l
  join public.contacts as c on c.id = l.customer_id
  left join lateral (select e.lead_status, e.appointment_status from crmshift.contacts_expected as e where e.id = c.id limit 1) as e on true
 cross join lateral (values ('disposition', l.disposition is not null and c.lead_status is null and e.lead_status is null),
                            ('appointment_status', l.appointment_status is not null and c.appointment_status is null and e.appointment_status is null)) as s (name, lost)
 where ($1 is null or l.workspace_id = $1) and l.is_primary
   and (l.disposition is not null and c.lead_status is null or l.appointment_status is not null and c.appointment_status is null)
   and s.lost
$$;
comment on function crmshift.check_unmapped_statuses(uuid) is 'The mappings translate every status

Do: Teach the views under sql/mapping/ the value (select distinct lead_status from contacts lists them), or change the row.';
