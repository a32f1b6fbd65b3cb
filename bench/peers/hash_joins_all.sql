-- One full join for each pair of tables, comparing every mapped column, contacts with customers and their primary leads at once.
select (select count(*)
          from public.contacts as c
          full join public.customers as t on t.cst_id = c.id
          full join (select * from public.leads where is_primary) as l on l.customer_id = c.id
         where (c.workspace_id, c.firstname, c.lastname, c.email, c.phone_number, c.st_address, c.city, c.state, c.zip, c.created_at)
               is distinct from (t.workspace_id, t.firstname, t.lastname, t.email, t.phone1, t.address1, t.city, t.state, t.zip, t.dateadded)
            or (c.lead_source, c.lead_status, c.appointment_status) is distinct from (l.source, l.disposition, l.appointment_status)
            or c.updated_at is distinct from greatest(t.lastchanged, l.lastchangedon)),
       (select count(*)
          from public.contact_custom_fields as f
          full join public.customer_custom_fields as t on t.customer_id = f.contact_id and t.field_id = f.field_id
         where (f.contact_id, f.value, f.created_at) is distinct from (t.customer_id, t.value, t.created_at)),
       (select count(*)
          from public.appointments as a
          full join public.lead_appointments as t on t.id = a.id
         where (a.id, a.scheduled_at, a.apptdate, a.status, a.reminder_sent)
               is distinct from (t.id, t.scheduled_at, t.apptdate, t.status, t.reminder_sent))
