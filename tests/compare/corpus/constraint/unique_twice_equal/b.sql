create table t (a int, constraint t_a_key unique (a) initially deferred);
