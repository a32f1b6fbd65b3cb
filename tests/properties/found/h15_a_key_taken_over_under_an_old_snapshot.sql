-- Under an old snapshot an appointment takes over the key of one that has got another key since.
-- session A
begin isolation level repeatable read;
update appointments set id = 1 where id = 11;
-- session B
update appointments set id = 11 where id = 1;
-- session A
update appointments set id = 1 where id = 2;
commit;
-- agreement
