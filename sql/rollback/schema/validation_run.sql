-- Undoes schema/validation_run.
drop view crmshift.validation_state;
drop table crmshift.validation_run;
drop view crmshift.validation_position;
