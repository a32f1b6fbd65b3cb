-- Undoes schema/registry.
drop table crmshift.feed;
drop table crmshift.mapping;
