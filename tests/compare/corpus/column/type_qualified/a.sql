create table t (a text, b jsonb);
