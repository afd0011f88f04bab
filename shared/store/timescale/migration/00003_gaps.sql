-- +goose Up

-- What edges lost, as they report it. Times are NULL where nobody knows them.
CREATE TABLE gaps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    edge_id    text COLLATE "C" NOT NULL,
    epoch      bigint NOT NULL, -- the 64 bits of an unsigned number
    first_seq  bigint NOT NULL, -- likewise
    last_seq   bigint NOT NULL, -- likewise
    cause      text COLLATE "C" NOT NULL,
    from_ts    timestamptz,
    to_ts      timestamptz,
    readings   bigint NOT NULL,
    noticed_at timestamptz NOT NULL,
    UNIQUE (edge_id, epoch, first_seq, cause)
);
