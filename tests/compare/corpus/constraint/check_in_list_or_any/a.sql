create table t (a text check (a in ('new', 'won')));
