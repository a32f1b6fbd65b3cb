/* a /* nested; */ comment; */
create table t ( -- the key;
  id integer primary key, /* ; */ a text, b integer
);
-- the end
