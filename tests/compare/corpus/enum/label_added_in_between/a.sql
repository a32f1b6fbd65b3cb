create type stage as enum ('new', 'open', 'won');
