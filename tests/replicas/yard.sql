-- Tables of the user's, for tests of several servers.
CREATE TABLE crates (code text PRIMARY KEY, colour text);
CREATE TABLE lids (code text PRIMARY KEY, crate text NOT NULL REFERENCES crates (code));
CREATE TABLE others (code text PRIMARY KEY);
-- What is sealed is looked at when the transaction commits, and that takes as long as somebody has lock 7.
CREATE TABLE seals (code text PRIMARY KEY);
CREATE FUNCTION look_at_seal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7);
    RETURN NULL;
END;
$$;
CREATE CONSTRAINT TRIGGER seals_are_looked_at AFTER INSERT ON seals
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look_at_seal();
