create table t (id integer primary key, a text, b integer);
create view v as select id, a from t;create rule r as on delete to t do instead nothing; comment on rule r on t is 'R.'; comment on column v.id is 'I.';
