-- Every customer that has leads has exactly one primary lead. (The unique index sees to at most one, triggers to at least one.)
create function crmshift.check_primary_lead(of_workspace uuid default null)
returns table (subject text, key jsonb, detail text, workspace uuid)
language sql stable parallel safe
as $$
select 'leads', jsonb_build_object('customer_id', l.customer_id), format('%s leads, %s of them primary', count(*), count(*) filter (where l.is_primary)),
       (select o.workspace_id from public.leads as o where o.customer_id = l.customer_id limit 1)
  from public.leads as l
 where $1 is null or l.workspace_id = $1
 group by l.customer_id
having count(*) filter (where l.is_primary) <> 1
$$;
comment on function crmshift.check_primary_lead(uuid) is 'Every customer that has leads has exactly one primary lead

Do: Where there is none: select crmshift.elect_primary_lead(array(select (key ->> ''customer_id'')::uuid from crmshift.check_primary_lead())). Where there are several, update all but one.';
