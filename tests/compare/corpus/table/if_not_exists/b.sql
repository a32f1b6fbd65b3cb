create table if not exists t (id integer primary key, a text, b integer); create table if not exists t (other int);
