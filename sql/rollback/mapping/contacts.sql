-- Undoes mapping/contacts.
delete from crmshift.mapping where name = 'contacts';
drop view crmshift.contacts_expected;
