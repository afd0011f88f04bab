-- +goose Up

-- What goes wrong on the roads, from when to when.
CREATE TABLE alerts (
    ts         timestamptz NOT NULL, -- when it began
    road_id    text COLLATE "C" NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    end_ts     timestamptz,          -- NULL while it goes on
    updated_ts timestamptz NOT NULL,
    severity   text NOT NULL,
    roads      text[] NOT NULL,
    observed   double precision NOT NULL,
    expected   double precision NOT NULL,
    lat        double precision,
    lng        double precision,
    detail     text NOT NULL,
    PRIMARY KEY (ts, road_id, kind)
);
CREATE INDEX alerts_active ON alerts (ts) WHERE end_ts IS NULL;

-- How well each model has forecast lately: sums that fade.
CREATE TABLE forecast_skill (
    shard              integer NOT NULL,
    model_version      text COLLATE "C" NOT NULL,
    horizon_min        integer NOT NULL,
    road_group         text COLLATE "C" NOT NULL,
    through_ts         timestamptz NOT NULL,
    served             boolean NOT NULL,
    demoted            boolean NOT NULL,
    weight             double precision NOT NULL,
    abs_err            double precision NOT NULL,
    err                double precision NOT NULL,
    intervals          double precision NOT NULL,
    covered            double precision NOT NULL,
    persistence_weight double precision NOT NULL,
    persistence_own    double precision NOT NULL,
    persistence_other  double precision NOT NULL,
    profile_weight     double precision NOT NULL,
    profile_own        double precision NOT NULL,
    profile_other      double precision NOT NULL,
    PRIMARY KEY (shard, model_version, horizon_min, road_group)
);
