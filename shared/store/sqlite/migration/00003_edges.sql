-- +goose Up
CREATE TABLE edges (
    edge_id     TEXT PRIMARY KEY,
    label       TEXT NOT NULL,
    created_at  INTEGER NOT NULL, -- microseconds since 1970, like all times here
    enrolled_at INTEGER,
    not_after   INTEGER,          -- end of the newest certificate
    revoked_at  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE edge_invitations (
    edge_id     TEXT PRIMARY KEY REFERENCES edges (edge_id),
    selector    TEXT NOT NULL UNIQUE,
    secret_hash TEXT NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE edge_certificates (
    serial     TEXT PRIMARY KEY,
    edge_id    TEXT NOT NULL REFERENCES edges (edge_id),
    not_after  INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_certificates_edge ON edge_certificates (edge_id);
CREATE INDEX edge_certificates_end ON edge_certificates (not_after);
