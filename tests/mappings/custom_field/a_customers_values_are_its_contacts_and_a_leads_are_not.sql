-- Values of one lead have no place in legacy.
-- given on the target
insert into customers (cst_id, workspace_id) values ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1');
insert into leads (id, customer_id, workspace_id, is_primary) values
    ('00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000a1', true);
insert into customer_custom_fields (customer_id, field_id, workspace_id, value) values
    ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-0000000000f1', '00000000-0000-0000-0000-0000000000a1', 'of the customer');
insert into lead_custom_fields (lead_id, field_id, workspace_id, value) values
    ('00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-0000000000f1', '00000000-0000-0000-0000-0000000000a1', 'of the lead');
-- found
select contact_id, field_id, value from contact_custom_fields;
-- expected
values ('00000000-0000-0000-0000-0000000000c1'::uuid, '00000000-0000-0000-0000-0000000000f1'::uuid, 'of the customer');
