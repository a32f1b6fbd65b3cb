create type stage as enum ('new'); revoke usage on type stage from public;
