create foreign data wrapper w; create server s foreign data wrapper w; create foreign table t (a int options (x '1')) server s options (y '2');
