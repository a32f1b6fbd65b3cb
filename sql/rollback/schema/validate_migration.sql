-- Undoes schema/validate_migration.
drop function crmshift.validate_migration(uuid);
drop view crmshift.check_list;
drop function crmshift.run_check(text, uuid);
