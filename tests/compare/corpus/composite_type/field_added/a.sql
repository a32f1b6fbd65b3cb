create type d as (a int);
