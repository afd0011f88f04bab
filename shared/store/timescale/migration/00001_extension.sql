-- +goose Up

-- TimescaleDB is used where the server offers it and has it loaded: its loader
-- then shows this setting, which everybody may read.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb')
        AND EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.disable_load') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
    END IF;
END
$$;
-- +goose StatementEnd
