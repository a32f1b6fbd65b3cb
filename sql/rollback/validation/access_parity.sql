-- Undoes validation/access_parity.
drop function crmshift.check_access_parity(uuid);
