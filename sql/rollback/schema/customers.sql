-- Undoes schema/customers: the table and its rows. Legacy holds what it can hold of them; the rest was counted and accepted.
drop table public.customers;
