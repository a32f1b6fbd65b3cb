-- Undoes schema/validation_run.
drop table crmshift.validation_run;
