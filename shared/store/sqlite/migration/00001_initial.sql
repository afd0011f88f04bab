-- +goose Up

-- Times are whole microseconds since 1970-01-01 UTC. Text compares by byte.

-- Rows are clustered by blocks of one minute (slot = ts div 60 s, rounded
-- down), then by sensor: new data touches few pages, a time window is one range,
-- retention drops whole slots, and (sensor_id, ts) is unique because ts gives slot.
-- No other index is needed: traffic_slots and road_sensors lead to a road's rows.
CREATE TABLE traffic_raw (
    slot      INTEGER NOT NULL,
    sensor_id TEXT    NOT NULL,
    ts        INTEGER NOT NULL,
    road_id   TEXT    NOT NULL,
    speed_kmh REAL,
    flow_rate REAL,
    occupancy REAL,
    score     REAL,
    quality   INTEGER NOT NULL,
    edge_id   TEXT    NOT NULL,
    PRIMARY KEY (slot, sensor_id, ts)
) STRICT, WITHOUT ROWID;

-- The slots that hold rows, and the first and last time in each.
CREATE TABLE traffic_slots (
    slot     INTEGER PRIMARY KEY,
    first_ts INTEGER NOT NULL,
    last_ts  INTEGER NOT NULL
) STRICT;

-- Which sensors ever spoke about a road.
CREATE TABLE road_sensors (
    road_id   TEXT NOT NULL,
    sensor_id TEXT NOT NULL,
    PRIMARY KEY (road_id, sensor_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE roads (
    road_id       TEXT PRIMARY KEY,
    label         TEXT NOT NULL DEFAULT '',
    lat           REAL,
    lng           REAL,
    geometry      TEXT, -- GeoJSON MultiLineString
    from_node     TEXT NOT NULL DEFAULT '',
    to_node       TEXT NOT NULL DEFAULT '',
    length_m      REAL,
    class         TEXT NOT NULL DEFAULT '',
    free_flow_kmh REAL,
    capacity_vph  REAL,
    updated_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest reading of each road.
CREATE TABLE road_latest (
    road_id   TEXT PRIMARY KEY,
    ts        INTEGER NOT NULL,
    sensor_id TEXT    NOT NULL,
    speed_kmh REAL,
    flow_rate REAL,
    occupancy REAL,
    score     REAL,
    quality   INTEGER NOT NULL,
    edge_id   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE predictions (
    ts               INTEGER NOT NULL,
    road_id          TEXT    NOT NULL,
    horizon_min      INTEGER NOT NULL,
    model_version    TEXT    NOT NULL,
    congestion_score REAL    NOT NULL,
    confidence       REAL    NOT NULL,
    speed_kmh        REAL,
    lower            REAL,
    upper            REAL,
    PRIMARY KEY (ts, road_id, horizon_min, model_version)
) STRICT, WITHOUT ROWID;

-- Where in predictions the newest one of each kind is.
CREATE TABLE predictions_latest (
    road_id       TEXT    NOT NULL,
    horizon_min   INTEGER NOT NULL,
    model_version TEXT    NOT NULL,
    ts            INTEGER NOT NULL,
    PRIMARY KEY (road_id, horizon_min, model_version)
) STRICT, WITHOUT ROWID;

-- The times for which predictions exist: a road's predictions are found by
-- walking these, without an index by road.
CREATE TABLE prediction_cycles (
    model_version TEXT    NOT NULL,
    ts            INTEGER NOT NULL,
    horizon_min   INTEGER NOT NULL,
    PRIMARY KEY (model_version, ts, horizon_min)
) STRICT, WITHOUT ROWID;
CREATE INDEX prediction_cycles_ts ON prediction_cycles (ts);

CREATE TABLE reroutes (
    ts                 INTEGER NOT NULL,
    route_id           TEXT    NOT NULL,
    alt_route_id       TEXT    NOT NULL,
    reason             TEXT    NOT NULL,
    estimated_co2_gain REAL    NOT NULL, -- kg per 100 vehicles
    eta_gain_min       REAL    NOT NULL,
    path               TEXT    NOT NULL, -- JSON array of road ids
    share              REAL    NOT NULL,
    status             TEXT    NOT NULL,
    PRIMARY KEY (ts, route_id, alt_route_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX reroutes_route ON reroutes (route_id, ts);
CREATE INDEX reroutes_status ON reroutes (status, ts);

CREATE TABLE edge_batches (
    edge_id     TEXT    NOT NULL,
    epoch       INTEGER NOT NULL, -- the 64 bits of an unsigned number
    seq         INTEGER NOT NULL, -- likewise
    received_at INTEGER NOT NULL,
    PRIMARY KEY (edge_id, epoch, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE rejected (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    ts      INTEGER NOT NULL,
    edge_id TEXT    NOT NULL,
    origin  TEXT    NOT NULL,
    payload BLOB    NOT NULL,
    reason  TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    digest  BLOB    NOT NULL UNIQUE
) STRICT;

CREATE TABLE users (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    email      TEXT    NOT NULL,
    email_key  TEXT    NOT NULL UNIQUE, -- e-mail in lower case
    password   TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE refresh_tokens (
    hash       TEXT    PRIMARY KEY,
    family     TEXT    NOT NULL,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    expires_at INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0, -- exchanged for the next one
    revoked    INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX refresh_tokens_family ON refresh_tokens (family);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
