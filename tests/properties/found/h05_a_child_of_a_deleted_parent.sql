-- An appointment written on the target and the delete of its contact in legacy, both while paused, do not wait for each other.
call crmshift.pause();
insert into lead_appointments (lead_id, workspace_id, status) select id, workspace_id, 'V1' from leads where customer_id = '00000000-0000-0000-0000-0000000000c1';
delete from contacts where id = '00000000-0000-0000-0000-0000000000c1';
select crmshift.resume();
