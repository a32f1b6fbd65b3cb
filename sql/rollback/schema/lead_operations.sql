-- Undoes schema/lead_operations.
drop function crmshift.set_appointment_field(bigint, uuid, text);
drop function crmshift.set_lead_field(uuid, uuid, text);
drop function crmshift.set_customer_field(uuid, uuid, text);
drop function crmshift.set_appointment(uuid, jsonb, bigint);
drop function crmshift.delete_lead(uuid);
drop function crmshift.set_primary_lead(uuid);
drop function crmshift.change_lead(uuid, jsonb);
drop function crmshift.create_lead(uuid, jsonb, boolean);
drop function crmshift.change_customer(uuid, jsonb);
drop function crmshift.create_customer(uuid, jsonb);
drop function crmshift.refuse_unknown(jsonb, text[], text);
drop function crmshift.lock_lead(uuid);
drop function crmshift.lock_customer(uuid);
drop view crmshift.appointment_lock;
drop view crmshift.customer_field_lock;
drop view crmshift.customer_lock;
drop view crmshift.visible_customer;
