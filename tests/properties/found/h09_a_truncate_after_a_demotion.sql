-- A TRUNCATE that came last, while asynchronous, is not undone by what the other side wrote before.
select crmshift.set_mode(null, 'queued');
update leads set is_primary = false where customer_id = '00000000-0000-0000-0000-0000000000c1';
truncate appointments;
select crmshift.set_mode(null, 'immediate');
-- agreement
select * from crmshift.drain();
-- expect: select not exists (select from appointments) or exists (select from crmshift.conflict_log)
