-- +goose Up

-- What was found out about each sensor from its readings.
CREATE TABLE sensors (
    sensor_id      TEXT PRIMARY KEY,
    road_id        TEXT    NOT NULL,
    edge_id        TEXT    NOT NULL,
    last_ts        INTEGER NOT NULL,
    interval_us    INTEGER NOT NULL,
    stuck_since    INTEGER,
    inconsistent   REAL    NOT NULL,
    length_m       REAL,
    usual_length_m REAL
) STRICT, WITHOUT ROWID;
