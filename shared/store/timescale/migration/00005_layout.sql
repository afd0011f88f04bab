-- +goose Up

-- A database of millions of rows may take its time.
SET LOCAL statement_timeout = 0;

-- Which sensors ever spoke about a road: they lead to the road's rows in traffic_raw,
-- which therefore needs no index by road.
CREATE TABLE road_sensors (
    road_id   text COLLATE "C" NOT NULL,
    sensor_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (road_id, sensor_id)
);
INSERT INTO road_sensors SELECT DISTINCT road_id, sensor_id FROM traffic_raw;

-- The blocks of five minutes that hold readings, and the first and last time in each.
-- Every transaction that adds readings raises the version of their blocks, so that
-- "rolled = version" says that the averages of the block are up to date.
CREATE TABLE traffic_slots (
    slot     timestamptz PRIMARY KEY,
    first_ts timestamptz NOT NULL,
    last_ts  timestamptz NOT NULL,
    version  bigint NOT NULL DEFAULT 1,
    rolled   bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 60);
INSERT INTO traffic_slots (slot, first_ts, last_ts)
SELECT date_bin('5 minutes', ts, '1970-01-01T00:00:00Z') AS slot, min(ts), max(ts) FROM traffic_raw GROUP BY slot;
CREATE INDEX traffic_slots_stale ON traffic_slots (slot) WHERE rolled <> version;

-- Every transaction that changes a road raises the number, so that a process knows
-- whether what it remembers of the roads is still true.
CREATE TABLE roads_revision (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    revision bigint NOT NULL
) WITH (fillfactor = 20);
INSERT INTO roads_revision (revision) VALUES (1);

-- The one B-tree of traffic_raw is its key. Windows of time are found through daily
-- chunks or partitions and, within them, the block ranges of rows that came together.
ALTER TABLE traffic_raw DROP CONSTRAINT traffic_raw_pkey;
DROP INDEX traffic_raw_road;

-- Without TimescaleDB the table is partitioned by time. What it held becomes its first
-- partition. The program makes the others and notes them here.
CREATE TABLE partitions (
    name    text COLLATE "C" PRIMARY KEY,
    parent  text COLLATE "C" NOT NULL,
    from_ts timestamptz NOT NULL,
    to_ts   timestamptz NOT NULL
);
-- +goose StatementBegin
DO $$
DECLARE
    lo timestamptz;
    hi timestamptz;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        ALTER TABLE traffic_raw ADD CONSTRAINT traffic_raw_pkey PRIMARY KEY (sensor_id, ts);
        CREATE INDEX traffic_raw_ts ON traffic_raw USING brin (ts) WITH (pages_per_range = 16, autosummarize = on);
        RETURN;
    END IF;
    ALTER TABLE traffic_raw RENAME TO traffic_raw_before;
    CREATE TABLE traffic_raw (LIKE traffic_raw_before, CONSTRAINT traffic_raw_pkey PRIMARY KEY (sensor_id, ts)) PARTITION BY RANGE (ts);
    CREATE INDEX traffic_raw_ts ON traffic_raw USING brin (ts) WITH (pages_per_range = 16, autosummarize = on);
    SELECT date_bin('1 day', min(ts), '1970-01-01T00:00:00Z'), date_bin('1 day', max(ts), '1970-01-01T00:00:00Z') + INTERVAL '24 hours'
    INTO lo, hi FROM traffic_raw_before;
    IF lo IS NULL THEN
        DROP TABLE traffic_raw_before;
        RETURN;
    END IF;
    EXECUTE format('ALTER TABLE traffic_raw ATTACH PARTITION traffic_raw_before FOR VALUES FROM (%L) TO (%L)', lo, hi);
    INSERT INTO partitions VALUES ('traffic_raw_before', 'traffic_raw', lo, hi);
END
$$;
-- +goose StatementEnd
