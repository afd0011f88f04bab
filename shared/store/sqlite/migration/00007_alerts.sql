-- +goose Up

-- What goes wrong on the roads, from when to when.
CREATE TABLE alerts (
    ts         INTEGER NOT NULL, -- when it began
    road_id    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    end_ts     INTEGER,          -- NULL while it goes on
    updated_ts INTEGER NOT NULL,
    severity   TEXT    NOT NULL,
    roads      TEXT    NOT NULL, -- JSON array of road ids
    observed   REAL    NOT NULL,
    expected   REAL    NOT NULL,
    lat        REAL,
    lng        REAL,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (ts, road_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_active ON alerts (ts) WHERE end_ts IS NULL;

-- How well each model has forecast lately: sums that fade.
CREATE TABLE forecast_skill (
    shard              INTEGER NOT NULL,
    model_version      TEXT    NOT NULL,
    horizon_min        INTEGER NOT NULL,
    road_group         TEXT    NOT NULL,
    through_ts         INTEGER NOT NULL,
    served             INTEGER NOT NULL,
    demoted            INTEGER NOT NULL,
    weight             REAL    NOT NULL,
    abs_err            REAL    NOT NULL,
    err                REAL    NOT NULL,
    intervals          REAL    NOT NULL,
    covered            REAL    NOT NULL,
    persistence_weight REAL    NOT NULL,
    persistence_own    REAL    NOT NULL,
    persistence_other  REAL    NOT NULL,
    profile_weight     REAL    NOT NULL,
    profile_own        REAL    NOT NULL,
    profile_other      REAL    NOT NULL,
    PRIMARY KEY (shard, model_version, horizon_min, road_group)
) STRICT, WITHOUT ROWID;
