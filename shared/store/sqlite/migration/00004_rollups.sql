-- +goose Up

-- Every transaction that adds readings raises the version of their slots, so that
-- "rolled = version" says that the averages are up to date. level is 0 while the single
-- readings are there, 1 when only the averages of five minutes remain, 2 when only
-- those of hours do.
ALTER TABLE traffic_slots ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE traffic_slots ADD COLUMN rolled  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE traffic_slots ADD COLUMN level   INTEGER NOT NULL DEFAULT 0;
CREATE INDEX traffic_slots_stale ON traffic_slots (slot) WHERE rolled <> version;
CREATE INDEX traffic_slots_level ON traffic_slots (level, slot);

-- Sums and numbers by road, from which averages of every multiple are made: of five
-- minutes and, from those, of hours.
CREATE TABLE rollup_5m (
    start       INTEGER NOT NULL,
    road_id     TEXT    NOT NULL,
    n           INTEGER NOT NULL,
    speed       REAL,
    speed_n     INTEGER NOT NULL,
    flow        REAL,
    flow_n      INTEGER NOT NULL,
    occupancy   REAL,
    occupancy_n INTEGER NOT NULL,
    score       REAL,
    score_n     INTEGER NOT NULL,
    PRIMARY KEY (start, road_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE rollup_1h (
    start       INTEGER NOT NULL,
    road_id     TEXT    NOT NULL,
    n           INTEGER NOT NULL,
    speed       REAL,
    speed_n     INTEGER NOT NULL,
    flow        REAL,
    flow_n      INTEGER NOT NULL,
    occupancy   REAL,
    occupancy_n INTEGER NOT NULL,
    score       REAL,
    score_n     INTEGER NOT NULL,
    PRIMARY KEY (start, road_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX edge_batches_received ON edge_batches (received_at);
