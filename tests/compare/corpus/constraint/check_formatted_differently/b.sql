create table t (a int, b int, CHECK (((a > 0) AND (b < 10)) OR (a IS NULL)));
