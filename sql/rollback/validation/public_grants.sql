-- Undoes validation/public_grants.
drop function crmshift.check_public_grants(uuid);
