-- +goose Up
ALTER TABLE users ADD COLUMN disabled_at timestamptz; -- NULL while the user may log in

-- What programs log in with.
CREATE TABLE api_keys (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash       text COLLATE "C" NOT NULL UNIQUE,
    name       text NOT NULL,
    scopes     text NOT NULL, -- separated by commas
    user_id    bigint NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,          -- NULL means never
    used_at    timestamptz
);
