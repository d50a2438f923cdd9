-- Tables that no example has: keys that the database makes, keys that are text, keys that the server makes.
CREATE TABLE growers (grower_no INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, name TEXT NOT NULL, village TEXT CHECK (village <> 'Atlantis'));
CREATE TABLE apples (apple TEXT PRIMARY KEY NOT NULL, colour TEXT CHECK (colour <> ''));
CREATE TABLE plots (plot_id TEXT PRIMARY KEY NOT NULL, grower_no INTEGER NOT NULL REFERENCES growers, number INTEGER NOT NULL CHECK (number > 0), apple TEXT REFERENCES apples, UNIQUE (grower_no, number));
CREATE TABLE swaps (plot_id TEXT NOT NULL REFERENCES plots, grower_no INTEGER NOT NULL REFERENCES growers, crates INTEGER NOT NULL CHECK (crates > 0), PRIMARY KEY (plot_id, grower_no)) WITHOUT ROWID;
-- An insert that takes longer than anybody waits.
CREATE TABLE naps (name TEXT PRIMARY KEY, grower_no INTEGER REFERENCES growers);
CREATE TRIGGER naps_take_long AFTER INSERT ON naps BEGIN
    SELECT count(*) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000) SELECT i FROM n);
END;
