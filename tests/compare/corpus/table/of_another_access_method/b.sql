create access method heap2 type table handler heap_tableam_handler; create table t (id integer primary key, a text, b integer) using heap2;
