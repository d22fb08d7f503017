-- SPDX-License-Identifier: Apache-2.0
--
-- sqlite.sql - what microd remembers of its users (schema version 3).
--
-- A feedback appends one row to events, and nothing else: that is the record. What
-- follows from it, states and event_keys, is brought up to date some thousands of events
-- at a time ("folded"). Until then microd has it in memory, and after a crash it takes
-- it from the events again: those whose seq is above folded.seq are recent.
--
-- The states follow from the events, but for the last bits of those that were imported from
-- another machine: replay the events in the order of seq, each
-- as one Hedge step (core/model/hedge.h), and every log-weight comes out again,
-- bit for bit. A state begins as -log(n_heads), in a context as the user's overall state
-- before the step. Every event changes the user's overall state and, in a context, that
-- one too. A state's row has the events up to its own seq in it; for one without recent
-- events that is all of them.
--
-- Arrays are BLOBs of little-endian float64; times are microseconds since 1970.

PRAGMA application_id = 0x4D694352; -- "MiCR"
PRAGMA user_version = 3;

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
	updated_us INTEGER NOT NULL, -- time of the last of them
	seq INTEGER NOT NULL, -- it has no later event in it
	PRIMARY KEY (user, context, model)
) STRICT, WITHOUT ROWID;

-- Rows are appended, in the order in which they happened; seq never goes back.
CREATE TABLE events (
	seq INTEGER PRIMARY KEY,
	user TEXT NOT NULL CHECK (user <> ''),
	id TEXT NOT NULL CHECK (id <> ''), -- the client's; microd applies it once for a user
	context TEXT NOT NULL,
	model INTEGER NOT NULL REFERENCES models,
	time_us INTEGER NOT NULL, -- of the clock, which may be set back
	temperature REAL NOT NULL CHECK (temperature > 0),
	strength REAL NOT NULL CHECK (strength >= 0),
	drift REAL NOT NULL CHECK (drift >= 0 AND drift < 1),
	digest BLOB NOT NULL CHECK (length(digest) = 16), -- of what was sent
	losses BLOB NOT NULL CHECK (length(losses) = length(weights)), -- [n_heads]: L
	weights BLOB NOT NULL CHECK (length(weights) > 0), -- [n_heads]: the answer
	updates INTEGER NOT NULL CHECK (updates > 0), -- the answer
	input TEXT -- the pair as a line of preference.md, if it is kept
) STRICT;

-- Where the events are that are not recent, by user and id. SipHash-2-4 under
-- folded.hash_key gives key: its upper half of the user, its lower half of the id, 32 bits
-- each, as a signed number. Two events may have the same key: the event says whose it is.
CREATE TABLE event_keys (
	key INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	PRIMARY KEY (key, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE folded (
	only INTEGER PRIMARY KEY CHECK (only = 1),
	seq INTEGER NOT NULL, -- later events are recent
	hash_key BLOB NOT NULL CHECK (length(hash_key) = 16)
) STRICT;
INSERT INTO folded VALUES (1, 0, randomblob(16));

-- Who is being deleted for not having given feedback for long: the states are gone, the events,
-- all of them folded, go some at a time. One user, or none.
CREATE TABLE leaving (
	user TEXT PRIMARY KEY CHECK (user <> '')
) STRICT, WITHOUT ROWID;
