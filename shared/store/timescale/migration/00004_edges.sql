-- +goose Up
CREATE TABLE edges (
    edge_id     text COLLATE "C" PRIMARY KEY,
    label       text NOT NULL,
    created_at  timestamptz NOT NULL,
    enrolled_at timestamptz,
    not_after   timestamptz, -- end of the newest certificate
    revoked_at  timestamptz
);

CREATE TABLE edge_invitations (
    edge_id     text COLLATE "C" PRIMARY KEY REFERENCES edges (edge_id),
    selector    text COLLATE "C" NOT NULL UNIQUE,
    secret_hash text COLLATE "C" NOT NULL,
    expires_at  timestamptz NOT NULL
);

CREATE TABLE edge_certificates (
    serial     text COLLATE "C" PRIMARY KEY,
    edge_id    text COLLATE "C" NOT NULL REFERENCES edges (edge_id),
    not_after  timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX edge_certificates_edge ON edge_certificates (edge_id);
CREATE INDEX edge_certificates_end ON edge_certificates (not_after);
