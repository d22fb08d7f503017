-- SPDX-License-Identifier: Apache-2.0
--
-- sqlite.sql - what microd remembers of its users (schema version 1).
--
-- The states follow from the events: replay the events in the order of seq, each
-- as one Hedge step (core/model/hedge.h), and every log-weight comes out again,
-- bit for bit. Every event has a row in states for the user's overall state and,
-- in a context, one more; both are deleted together.
--
-- Arrays are BLOBs of little-endian float64; times are microseconds since 1970.

PRAGMA application_id = 0x4D694352; -- "MiCR"
PRAGMA user_version = 1;

-- Log-weights mean nothing for other heads: they are kept per model.
CREATE TABLE models (
	model INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE CHECK (id <> ''),
	n_heads INTEGER NOT NULL CHECK (n_heads > 0)
) STRICT;

CREATE TABLE states (
	user TEXT NOT NULL CHECK (user <> ''),
	context TEXT NOT NULL, -- '': the user's overall state
	model INTEGER NOT NULL REFERENCES models,
	log_weights BLOB NOT NULL, -- [n_heads]: s
	updates INTEGER NOT NULL CHECK (updates > 0), -- steps taken in this context
	updated_us INTEGER NOT NULL,
	PRIMARY KEY (user, context, model)
) STRICT, WITHOUT ROWID;

-- Rows are appended; only the index on (user, id) is written at random places.
CREATE TABLE events (
	seq INTEGER PRIMARY KEY,
	user TEXT NOT NULL CHECK (user <> ''),
	id TEXT NOT NULL CHECK (id <> ''), -- the client's, applied once
	context TEXT NOT NULL,
	model INTEGER NOT NULL REFERENCES models,
	time_us INTEGER NOT NULL,
	temperature REAL NOT NULL CHECK (temperature > 0),
	strength REAL NOT NULL CHECK (strength >= 0),
	drift REAL NOT NULL CHECK (drift >= 0 AND drift < 1),
	digest BLOB NOT NULL CHECK (length(digest) = 16), -- of what was sent
	losses BLOB NOT NULL CHECK (length(losses) = length(weights)), -- [n_heads]: L
	weights BLOB NOT NULL CHECK (length(weights) > 0), -- [n_heads]: the answer
	updates INTEGER NOT NULL CHECK (updates > 0), -- the answer
	input TEXT, -- the pair as a line of preference.md, if it is kept
	UNIQUE (user, id)
) STRICT;
