-- Tables of the user's, for tests of several servers.
CREATE TABLE crates (code text PRIMARY KEY, colour text);
CREATE TABLE lids (code text PRIMARY KEY, crate text NOT NULL REFERENCES crates (code));
CREATE TABLE others (code text PRIMARY KEY);
