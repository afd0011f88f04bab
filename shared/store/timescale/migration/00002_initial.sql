-- +goose Up

-- Names compare by byte ("C"), whatever the language of the database.

CREATE TABLE traffic_raw (
    ts        timestamptz NOT NULL,
    sensor_id text COLLATE "C" NOT NULL,
    road_id   text COLLATE "C" NOT NULL,
    speed_kmh double precision,
    flow_rate double precision,
    occupancy double precision,
    score     double precision,
    quality   bigint NOT NULL,
    edge_id   text COLLATE "C" NOT NULL,
    -- Time first: new rows go to the end, and windows of all roads are one range.
    PRIMARY KEY (ts, sensor_id)
);
-- In the order of a road's list: newest first, then by sensor.
CREATE INDEX traffic_raw_road ON traffic_raw (road_id, ts DESC, sensor_id);

CREATE TABLE roads (
    road_id       text COLLATE "C" PRIMARY KEY,
    label         text NOT NULL DEFAULT '',
    lat           double precision,
    lng           double precision,
    geometry      text, -- GeoJSON MultiLineString
    from_node     text NOT NULL DEFAULT '',
    to_node       text NOT NULL DEFAULT '',
    length_m      double precision,
    class         text NOT NULL DEFAULT '',
    free_flow_kmh double precision,
    capacity_vph  double precision,
    updated_at    timestamptz NOT NULL
);

-- The newest reading of each road. No index but the key, and room on each page, so
-- that updates stay within their page.
CREATE TABLE road_latest (
    road_id   text COLLATE "C" PRIMARY KEY,
    ts        timestamptz NOT NULL,
    sensor_id text COLLATE "C" NOT NULL,
    speed_kmh double precision,
    flow_rate double precision,
    occupancy double precision,
    score     double precision,
    quality   bigint NOT NULL,
    edge_id   text COLLATE "C" NOT NULL
) WITH (fillfactor = 60);

CREATE TABLE predictions (
    ts               timestamptz NOT NULL,
    road_id          text COLLATE "C" NOT NULL,
    horizon_min      integer NOT NULL,
    model_version    text COLLATE "C" NOT NULL,
    congestion_score double precision NOT NULL,
    confidence       double precision NOT NULL,
    speed_kmh        double precision,
    lower            double precision,
    upper            double precision,
    PRIMARY KEY (ts, road_id, horizon_min, model_version)
);
CREATE INDEX predictions_road ON predictions (road_id, ts DESC);

-- The newest prediction of each kind.
CREATE TABLE predictions_latest (
    ts               timestamptz NOT NULL,
    road_id          text COLLATE "C" NOT NULL,
    horizon_min      integer NOT NULL,
    model_version    text COLLATE "C" NOT NULL,
    congestion_score double precision NOT NULL,
    confidence       double precision NOT NULL,
    speed_kmh        double precision,
    lower            double precision,
    upper            double precision,
    PRIMARY KEY (road_id, horizon_min, model_version)
) WITH (fillfactor = 60);

-- The times for which predictions exist.
CREATE TABLE prediction_cycles (
    model_version text COLLATE "C" NOT NULL,
    ts            timestamptz NOT NULL,
    horizon_min   integer NOT NULL,
    PRIMARY KEY (model_version, ts, horizon_min)
);
CREATE INDEX prediction_cycles_ts ON prediction_cycles (ts);

CREATE TABLE reroutes (
    ts                 timestamptz NOT NULL,
    route_id           text COLLATE "C" NOT NULL,
    alt_route_id       text COLLATE "C" NOT NULL,
    reason             text NOT NULL,
    estimated_co2_gain double precision NOT NULL, -- kg per 100 vehicles
    eta_gain_min       double precision NOT NULL,
    path               text[] NOT NULL,
    share              double precision NOT NULL,
    status             text COLLATE "C" NOT NULL,
    PRIMARY KEY (ts, route_id, alt_route_id)
);
CREATE INDEX reroutes_route ON reroutes (route_id, ts DESC);
CREATE INDEX reroutes_status ON reroutes (status, ts DESC);

CREATE TABLE edge_batches (
    edge_id     text COLLATE "C" NOT NULL,
    epoch       bigint NOT NULL, -- the 64 bits of an unsigned number
    seq         bigint NOT NULL, -- likewise
    received_at timestamptz NOT NULL,
    PRIMARY KEY (edge_id, epoch, seq)
);

CREATE TABLE rejected (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ts      timestamptz NOT NULL,
    edge_id text NOT NULL,
    origin  text NOT NULL,
    payload bytea NOT NULL,
    reason  text NOT NULL,
    detail  text NOT NULL,
    digest  bytea NOT NULL UNIQUE
);

CREATE TABLE users (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email      text NOT NULL,
    email_key  text COLLATE "C" NOT NULL UNIQUE, -- e-mail in lower case
    password   text NOT NULL,
    role       text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE TABLE refresh_tokens (
    hash       text COLLATE "C" PRIMARY KEY,
    family     text COLLATE "C" NOT NULL,
    user_id    bigint NOT NULL REFERENCES users (id),
    expires_at timestamptz NOT NULL,
    used       boolean NOT NULL DEFAULT false, -- exchanged for the next one
    revoked    boolean NOT NULL DEFAULT false
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

-- With TimescaleDB the three tables that grow for ever are kept in daily chunks.
-- +goose StatementBegin
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('traffic_raw', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);
        PERFORM create_hypertable('predictions', by_range('ts', INTERVAL '1 day'), create_default_indexes => false);
        PERFORM create_hypertable('reroutes', by_range('ts', INTERVAL '7 days'), create_default_indexes => false);
    END IF;
END
$$;
-- +goose StatementEnd
