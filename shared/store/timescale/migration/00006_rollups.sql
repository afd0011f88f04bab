-- +goose Up
SET LOCAL statement_timeout = 0;

-- 0: the single readings of the block are there; 1: they were dropped, the averages of
-- five minutes remain; 2: those of hours.
ALTER TABLE traffic_slots ADD COLUMN level smallint NOT NULL DEFAULT 0;

-- Sums and numbers by road, from which averages of every multiple are made: of five
-- minutes and, from those, of hours. They hold for the blocks that traffic_slots calls
-- up to date.
CREATE TABLE rollup_5m (
    road_id     text COLLATE "C" NOT NULL,
    start       timestamptz NOT NULL,
    n           bigint NOT NULL,
    speed       double precision,
    speed_n     bigint NOT NULL,
    flow        double precision,
    flow_n      bigint NOT NULL,
    occupancy   double precision,
    occupancy_n bigint NOT NULL,
    score       double precision,
    score_n     bigint NOT NULL,
    PRIMARY KEY (road_id, start)
);
CREATE TABLE rollup_1h (LIKE rollup_5m, PRIMARY KEY (road_id, start));

-- The tables that grow without end are hypertables or partitioned.
-- +goose StatementBegin
DO $$
DECLARE
    t  record;
    lo timestamptz;
    hi timestamptz;
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('rollup_5m', by_range('start', INTERVAL '30 days'), create_default_indexes => false);
        PERFORM create_hypertable('rollup_1h', by_range('start', INTERVAL '365 days'), create_default_indexes => false);
        ALTER TABLE traffic_raw SET (timescaledb.compress, timescaledb.compress_segmentby = 'sensor_id', timescaledb.compress_orderby = 'ts');
    ELSE
        ALTER TABLE rollup_5m RENAME TO rollup_5m_before;
        CREATE TABLE rollup_5m (LIKE rollup_5m_before, CONSTRAINT rollup_5m_key PRIMARY KEY (road_id, start)) PARTITION BY RANGE (start);
        DROP TABLE rollup_5m_before;
        ALTER TABLE rollup_1h RENAME TO rollup_1h_before;
        CREATE TABLE rollup_1h (LIKE rollup_1h_before, CONSTRAINT rollup_1h_key PRIMARY KEY (road_id, start)) PARTITION BY RANGE (start);
        DROP TABLE rollup_1h_before;

        ALTER TABLE predictions RENAME TO predictions_before;
        ALTER TABLE predictions_before RENAME CONSTRAINT predictions_pkey TO predictions_before_pkey;
        ALTER INDEX predictions_road RENAME TO predictions_before_road;
        CREATE TABLE predictions (LIKE predictions_before, PRIMARY KEY (ts, road_id, horizon_min, model_version)) PARTITION BY RANGE (ts);
        CREATE INDEX predictions_road ON predictions (road_id, ts DESC);
        SELECT date_bin('1 day', min(ts), '1970-01-01T00:00:00Z'), date_bin('1 day', max(ts), '1970-01-01T00:00:00Z') + INTERVAL '24 hours'
        INTO lo, hi FROM predictions_before;
        IF lo IS NULL THEN
            DROP TABLE predictions_before;
        ELSE
            EXECUTE format('ALTER TABLE predictions ATTACH PARTITION predictions_before FOR VALUES FROM (%L) TO (%L)', lo, hi);
            INSERT INTO partitions VALUES ('predictions_before', 'predictions', lo, hi);
        END IF;
    END IF;
    CREATE INDEX rollup_5m_start ON rollup_5m USING brin (start) WITH (pages_per_range = 16, autosummarize = on);
    CREATE INDEX rollup_1h_start ON rollup_1h USING brin (start) WITH (pages_per_range = 16, autosummarize = on);
END
$$;
-- +goose StatementEnd
CREATE INDEX edge_batches_received ON edge_batches USING brin (received_at);
