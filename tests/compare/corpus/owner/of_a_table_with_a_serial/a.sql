create table t (id serial); alter table t owner to crm_owner;
