-- What contacts should hold: one row for each customer, with the facts of its primary lead. Other leads never show in legacy.
-- While a transaction has left a customer without a primary lead, before one is elected, its contact keeps the facts it has.
-- No casts to legacy's shorter types: a value that does not fit must fail and be queued, not be cut.

create view crmshift.contacts_expected as
select t.cst_id        as id,
       t.workspace_id,
       t.firstname,
       t.lastname,
       t.email,
       t.phone1        as phone_number,
       t.address1      as st_address,
       t.city,
       t.state,
       t.zip,
       case when l.id is null then c.lead_source else l.source end as lead_source,
       case when l.id is null then c.lead_status else l.disposition end as lead_status,
       case when l.id is null then c.appointment_status else l.appointment_status end as appointment_status,
       t.dateadded     as created_at,
       greatest(t.lastchanged, l.lastchangedon, c.updated_at) as updated_at
  from public.customers as t
  left join public.leads as l on l.customer_id = t.cst_id and l.is_primary
  left join lateral (select c.lead_source, c.lead_status, c.appointment_status, c.updated_at
                       from public.contacts as c
                      where c.id = t.cst_id and l.id is null and exists (select from public.leads as o where o.customer_id = t.cst_id)
                      limit 1) as c on true;  -- with the limit this is asked only where there is no primary lead
comment on view crmshift.contacts_expected is 'What public.contacts should hold, read from public.customers and their primary public.leads.';

insert into crmshift.mapping (name, entity, direction, target, key, key_types, clock, position) values
    ('contacts', 'customer', 'to_legacy', 'public.contacts', '{id}', '{uuid}', '{updated_at}', 1);
insert into crmshift.feed (mapping, source, key, mode, prepare, reaches) values
    ('contacts', 'public.customers', '{cst_id}', 'sync', null, null),
    ('contacts', 'public.leads', '{customer_id}', 'sync', 'crmshift.follow_primary_lead', 'crmshift.appointments_of_leads'),
    ('contacts', 'public.customer_custom_fields', '{customer_id}', 'fill', null, null);
-- Where both sides changed a contact while they could not agree: an address or a name is not pieced together from two.
insert into crmshift.conflict_policy (subject, columns, policy) values
    ('contacts', '{st_address,city,state,zip}', 'last_update_wins'),
    ('contacts', '{firstname,lastname}', 'last_update_wins');
