-- +goose Up

-- What was found out about each sensor from its readings.
CREATE TABLE sensors (
    sensor_id      text COLLATE "C" PRIMARY KEY,
    road_id        text COLLATE "C" NOT NULL,
    edge_id        text COLLATE "C" NOT NULL,
    last_ts        timestamptz NOT NULL,
    interval_us    bigint NOT NULL,
    stuck_since    timestamptz,
    inconsistent   double precision NOT NULL,
    length_m       double precision,
    usual_length_m double precision
);
