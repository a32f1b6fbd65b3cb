create function f(bigint) returns bigint language internal window as 'window_ntile';
