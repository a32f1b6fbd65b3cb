create type d as (a int, b text);
