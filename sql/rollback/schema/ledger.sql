-- Undoes schema/ledger, last of all. The schema must be empty by now: whatever is left would make this fail.
drop view crmshift.step_state;
drop table crmshift.step_run;
drop schema crmshift;
