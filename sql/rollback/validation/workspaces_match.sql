-- Undoes validation/workspaces_match.
drop function crmshift.check_workspaces_match(uuid);
