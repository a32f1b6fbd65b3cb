-- A contact's change of workspace that the target refuses stands for its custom fields too.
alter table customer_custom_fields add constraint frozen check (false) not valid;
update contacts set workspace_id = '00000000-0000-0000-0000-0000000000a1' where id = '00000000-0000-0000-0000-0000000000c5';
-- agreement
alter table customer_custom_fields drop constraint frozen;
