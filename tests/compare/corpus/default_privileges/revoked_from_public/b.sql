alter default privileges for role crm_owner revoke execute on functions from public;
