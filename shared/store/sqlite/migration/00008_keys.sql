-- +goose Up
ALTER TABLE users ADD COLUMN disabled_at INTEGER; -- NULL while the user may log in

-- What programs log in with.
CREATE TABLE api_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    hash       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL, -- separated by commas
    user_id    INTEGER NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,          -- NULL means never
    used_at    INTEGER
) STRICT;
