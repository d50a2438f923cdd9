CREATE TABLE flags (code TEXT PRIMARY KEY NOT NULL, country TEXT);
CREATE TABLE ports (port_no INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE COLLATE NOCASE, name TEXT NOT NULL, depth NUMERIC, CHECK (length(name) < 40));
CREATE TABLE ships (ship_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, flag_code TEXT REFERENCES flags (code), tonnage INTEGER CHECK (tonnage > 0), draft NUMERIC, built TEXT, tags TEXT, meta TEXT, active INTEGER);
CREATE TABLE voyages (voyage_id TEXT PRIMARY KEY, ship_id TEXT NOT NULL REFERENCES ships (ship_id), number INTEGER, port_no INTEGER REFERENCES ports (port_no), route TEXT, meta TEXT, UNIQUE (ship_id, number));
CREATE TABLE calls (voyage_id TEXT NOT NULL REFERENCES voyages (voyage_id), port_no INTEGER NOT NULL REFERENCES ports (port_no), berth TEXT, PRIMARY KEY (voyage_id, port_no)) WITHOUT ROWID;
CREATE TABLE sailors (sailor_no INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, ship_id TEXT REFERENCES ships (ship_id), age INTEGER NOT NULL DEFAULT 18 CHECK (age >= 16));
CREATE TABLE pledges (pledge TEXT PRIMARY KEY, flag_code TEXT NOT NULL REFERENCES flags (code) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE slow (name TEXT PRIMARY KEY);
CREATE TRIGGER slow_is_slow AFTER INSERT ON slow WHEN new.name LIKE 'slow%' BEGIN
    SELECT count(*) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT i FROM n);
END;
CREATE TABLE bad (name TEXT PRIMARY KEY, text TEXT);
CREATE TABLE bad_log (name TEXT);
CREATE TRIGGER bad_rolls_back BEFORE INSERT ON bad WHEN new.name = 'rollback' BEGIN SELECT RAISE(ROLLBACK, 'SELECT secret'); END;
CREATE TRIGGER bad_aborts BEFORE INSERT ON bad WHEN new.name = 'abort' BEGIN SELECT RAISE(ABORT, 'SELECT secret'); END;
CREATE TRIGGER bad_fails AFTER INSERT ON bad WHEN new.name = 'fail' BEGIN INSERT INTO bad_log VALUES ('left behind'); SELECT RAISE(FAIL, 'SELECT secret'); END;
CREATE TRIGGER bad_ignores BEFORE INSERT ON bad WHEN new.name = 'ignore' BEGIN SELECT RAISE(IGNORE); END;
CREATE TRIGGER bad_breaks BEFORE INSERT ON bad WHEN new.name = 'break' BEGIN SELECT abs(-9223372036854775807 - 1); END;
