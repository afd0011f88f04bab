-- +goose Up

-- A database of many roads may take its time.
SET LOCAL statement_timeout = 0;

-- The newest readings of up to 32 roads in a row, one after the other as rows of binary
-- COPY. A batch that moves the states of all roads of an edge writes a few rows instead
-- of one a road, and whoever asks for all roads reads few. Rows are not compressed, and
-- stay whole where they can.
CREATE TABLE latest_blocks (
    block  integer PRIMARY KEY,
    states bytea NOT NULL
) WITH (fillfactor = 50, toast_tuple_target = 8160);
ALTER TABLE latest_blocks ALTER COLUMN states SET STORAGE EXTERNAL;

-- In which block a road is, for ever.
CREATE TABLE road_blocks (
    road_id text COLLATE "C" PRIMARY KEY,
    block   integer NOT NULL
);
INSERT INTO road_blocks SELECT road_id, (row_number() OVER (ORDER BY road_id) - 1) / 32 FROM road_latest;

CREATE FUNCTION pg_temp.packed(bytea) RETURNS bytea LANGUAGE sql IMMUTABLE AS
$$ SELECT CASE WHEN $1 IS NULL THEN int4send(-1) ELSE int4send(length($1)) || $1 END $$;
INSERT INTO latest_blocks
SELECT b.block, string_agg(int2send(9::smallint) || pg_temp.packed(timestamptz_send(l.ts))
    || pg_temp.packed(textsend(l.sensor_id)) || pg_temp.packed(textsend(l.road_id))
    || pg_temp.packed(float8send(l.speed_kmh)) || pg_temp.packed(float8send(l.flow_rate))
    || pg_temp.packed(float8send(l.occupancy)) || pg_temp.packed(float8send(l.score))
    || pg_temp.packed(int8send(l.quality)) || pg_temp.packed(textsend(l.edge_id)), ''::bytea ORDER BY l.road_id)
FROM road_latest l JOIN road_blocks b USING (road_id) GROUP BY b.block;
DROP FUNCTION pg_temp.packed(bytea);
DROP TABLE road_latest;
