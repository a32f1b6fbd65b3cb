-- A primary lead is demoted while the sync is asynchronous, and then its contact is written.
select crmshift.set_mode(null, 'queued');
update leads set is_primary = false where customer_id = '00000000-0000-0000-0000-0000000000c4';
update contacts set created_at = now() where id = '00000000-0000-0000-0000-0000000000c4';
select crmshift.set_mode(null, 'immediate');
-- agreement
