create table t (a int unique not deferrable initially immediate);
