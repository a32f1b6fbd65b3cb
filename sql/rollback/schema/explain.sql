-- Undoes schema/explain.
drop function crmshift.explain_archive(text, jsonb);
drop function crmshift.explain_children(text, jsonb);
drop function crmshift.explain_writer(text, jsonb, boolean);
drop function crmshift.explain_row(text, jsonb, boolean);
drop function crmshift.looks_like(jsonb, boolean);
drop function crmshift.identity_of(text);
