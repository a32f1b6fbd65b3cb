create type d as (a bigint);
