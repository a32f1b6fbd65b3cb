-- Undoes schema/control.
drop function crmshift.set_on_error(text, text);
drop function crmshift.set_mode(text, text);
drop function crmshift.resume(text);
drop procedure crmshift.pause(text, text, interval);
drop function crmshift.writers_in_flight();
drop function crmshift.set_control(text, boolean, text, text, text);
drop table crmshift.sync_control;
drop sequence crmshift.sync_epoch;
