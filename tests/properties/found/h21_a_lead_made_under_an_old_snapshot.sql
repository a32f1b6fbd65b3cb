-- What an appointment makes its lead of has changed since the snapshot of its transaction: it waits in the queue.
-- session C
begin isolation level repeatable read;
select count(*) from contacts;
-- session A
update contacts set created_at = now(), updated_at = null where id = '00000000-0000-0000-0000-0000000000c2';
-- session C
insert into appointments (contact_id, status) values ('00000000-0000-0000-0000-0000000000c2', 'V2');
commit;
-- agreement
-- expect: select lastchangedon is null from leads where customer_id = '00000000-0000-0000-0000-0000000000c2'
