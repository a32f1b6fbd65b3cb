create table t (a int[], b text array, c int[][]);
