-- What the primary lead of a customer should hold: one row for each contact that has any lead fact, or an appointment.
-- A lead that is there stays while its contact does: a status set back to NULL clears the disposition and keeps the lead.
-- While a customer waits for the election of a primary lead there is none to write to, and none must be made: that fails, and
-- is queued until it is known which one it is.

create view crmshift.leads_expected as
select c.id                 as customer_id,
       c.workspace_id,
       case when l.id is null and exists (select from public.leads as o where o.customer_id = c.id) then null else true end as is_primary,
       c.lead_source::text  as source,
       c.lead_status::text  as disposition,
       c.appointment_status::text as appointment_status,
       -- A new lead is entered when its contact was; afterwards the date is the lead's own.
       case when l.id is null then c.created_at else l.entrydate end as entrydate,
       c.updated_at         as lastchangedon
  from public.contacts as c
  left join public.leads as l on l.customer_id = c.id and l.is_primary
 where l.id is not null
    or c.lead_source is not null
    or c.lead_status is not null
    or c.appointment_status is not null
    or exists (select from public.appointments as a where a.contact_id = c.id);
comment on view crmshift.leads_expected is 'What the primary rows of public.leads should hold, read from public.contacts.';

insert into crmshift.mapping (name, entity, direction, target, key, key_types, only_where, conflict_where, before_remove, position) values
    ('leads', 'lead', 'to_target', 'public.leads', '{customer_id}', '{uuid}', 't.is_primary', 'is_primary', 'crmshift.archive_lead', 2);
insert into crmshift.feed (mapping, source, key, mode) values
    ('leads', 'public.contacts', '{id}', 'sync'),
    -- Whatever makes a customer makes its lead too: without it the next write on the target would tell legacy there is none.
    ('leads', 'public.contact_custom_fields', '{contact_id}', 'fill'),
    ('leads', 'public.appointments', '{contact_id}', 'fill');
-- Legacy's one clock is the later of customers.lastchanged and leads.lastchangedon: an earlier one agrees, where the customer has it.
insert into crmshift.comparison (mapping, column_name, agrees) values
    ('leads', 'lastchangedon',
     't.lastchangedon is not distinct from e.lastchangedon
      or coalesce(t.lastchangedon, ''-infinity'') <= e.lastchangedon
         and exists (select from public.customers as o where o.cst_id = e.customer_id and o.lastchanged = e.lastchangedon)');
