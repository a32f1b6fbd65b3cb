create table t (a int, constraint a_is_positive check (a > 0)); comment on constraint a_is_positive on t is 'Why.';
