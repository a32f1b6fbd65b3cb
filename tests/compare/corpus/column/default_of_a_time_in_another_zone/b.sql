set timezone = 'Asia/Tokyo'; create table t (a timestamptz default timestamptz '2024-01-31 21:00');
