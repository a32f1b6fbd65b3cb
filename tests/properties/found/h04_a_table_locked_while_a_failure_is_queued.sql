-- What a failed sync reaches is found out without failing the statement.
-- session A
begin;
truncate appointments;
-- session B
update leads set entrydate = now(), productid = 'kept' where customer_id = '00000000-0000-0000-0000-0000000000c1' and is_primary;
-- session A
rollback;
-- expect: select productid = 'kept' from leads where customer_id = '00000000-0000-0000-0000-0000000000c1'
