comment on extension plpgsql is 'Ours.';
