create type stage as enum ('new', 'won'); alter type stage add value 'open' before 'won';
