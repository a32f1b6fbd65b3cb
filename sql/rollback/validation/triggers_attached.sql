-- Undoes validation/triggers_attached.
drop function crmshift.check_triggers_attached(uuid);
