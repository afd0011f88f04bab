-- +goose Up

-- What edges lost, as they report it. Times are NULL where nobody knows them.
CREATE TABLE gaps (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    edge_id    TEXT    NOT NULL,
    epoch      INTEGER NOT NULL, -- the 64 bits of an unsigned number
    first_seq  INTEGER NOT NULL, -- likewise
    last_seq   INTEGER NOT NULL, -- likewise
    cause      TEXT    NOT NULL,
    from_ts    INTEGER,
    to_ts      INTEGER,
    readings   INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL,
    UNIQUE (edge_id, epoch, first_seq, cause)
) STRICT;
