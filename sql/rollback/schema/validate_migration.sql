-- Undoes schema/validate_migration.
drop function crmshift.validate_migration(uuid);
drop function crmshift.run_check(text, uuid);
drop function crmshift.refuse_partial_view();
drop view crmshift.check_list;
