create language l handler plpgsql_call_handler;
