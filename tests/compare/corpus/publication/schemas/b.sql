create publication p for tables in schema public;
