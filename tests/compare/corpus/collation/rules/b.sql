create collation c (provider = libc, locale = 'POSIX');
