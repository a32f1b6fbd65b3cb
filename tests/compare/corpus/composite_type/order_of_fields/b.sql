create type d as (b text, a int);
