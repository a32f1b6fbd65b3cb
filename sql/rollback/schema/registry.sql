-- Undoes schema/registry.
drop table crmshift.conflict_policy;
drop view crmshift.source_subject;
drop view crmshift.mapping_subject;
drop table crmshift.feed;
drop table crmshift.comparison;
drop table crmshift.mapping;
