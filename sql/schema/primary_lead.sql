-- The primary lead of a customer: the one legacy sees.

create function crmshift.follow_primary_lead(customer_ids uuid[]) returns void
language plpgsql
as $$
-- Called when leads of these customers were written. Give each that has leads but no primary one its first.
begin
    if exists (select from unnest(customer_ids) as k (id) join public.leads as l on l.customer_id = k.id
                where not exists (select from public.leads as p where p.customer_id = k.id and p.is_primary)) then
        -- The contact's row is the lock of everything about one customer: two first leads at once must not both become primary.
        perform from public.contacts as c where c.id = any (customer_ids) order by c.id for no key update of c;
        perform set_config('crmshift.writing', 'public.leads', true);
        update public.leads as l set is_primary = true
         where l.id in (select distinct on (f.customer_id) f.id from public.leads as f
                         where f.customer_id = any (customer_ids)
                           and not exists (select from public.leads as p where p.customer_id = f.customer_id and p.is_primary)
                         order by f.customer_id, f.entrydate, f.id);
    end if;
end
$$;
comment on function crmshift.follow_primary_lead(uuid[]) is 'Where a customer has leads but no primary one, the first by entrydate becomes primary.';

create function crmshift.appointments_of_leads(customer_ids uuid[]) returns table (subject text, key jsonb)
language sql stable
as $$
-- A write on leads can change which appointments legacy sees: those of a lead that became primary, that is so no more, or
-- that went to another customer.
select 'appointments', jsonb_build_object('id', a.id)
  from unnest($1) as k (id)
  join public.leads as l on l.customer_id = k.id
  join public.lead_appointments as a on a.workspace_id = l.workspace_id and a.lead_id = l.id
 where case when l.is_primary then not exists (select from public.appointments as o where o.id = a.id and o.contact_id = l.customer_id)
            else exists (select from public.appointments as o where o.id = a.id) end
$$;
comment on function crmshift.appointments_of_leads(uuid[]) is 'Appointments that legacy now sees and did not before, sees no more, or sees with another contact, after leads of these customers were written.';
