create type d as (a int); comment on column d.a is 'What.';
