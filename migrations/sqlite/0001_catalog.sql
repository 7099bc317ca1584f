-- The catalog: repositories, their entries, the blobs that hold the bytes, what indexes say, and the journal.
-- Times are microseconds since the Unix epoch. Keys are text and compare by bytes.

CREATE TABLE repositories (
    id           TEXT    NOT NULL PRIMARY KEY,
    name         TEXT    NOT NULL UNIQUE,
    package_type TEXT    NOT NULL,
    role         TEXT    NOT NULL, -- JSON: what it does, with its settings
    revision     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT;

-- What others must notice is counted here: `epoch` rises with every change of repositories, pins that moved, and
-- removals of entries.
CREATE TABLE counters (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('epoch', 0);

-- Which object holds the bytes of a digest.
CREATE TABLE blobs (
    digest             TEXT    NOT NULL PRIMARY KEY,
    object             TEXT    NOT NULL UNIQUE,
    size               INTEGER NOT NULL,
    deleting           INTEGER NOT NULL DEFAULT FALSE CHECK (deleting IN (FALSE, TRUE)),
    unreferenced_since INTEGER -- since when no entry names it; NULL while one does
) STRICT;
CREATE INDEX blobs_unreferenced ON blobs (unreferenced_since) WHERE unreferenced_since IS NOT NULL;
CREATE INDEX blobs_deleting ON blobs (digest) WHERE deleting;

-- One cached or hosted path. The digest is no foreign key: a hosted entry outlives the loss of its bytes.
CREATE TABLE entries (
    repo          TEXT    NOT NULL REFERENCES repositories (id),
    key           TEXT    NOT NULL,
    variant       TEXT    NOT NULL,
    digest        TEXT    NOT NULL,
    size          INTEGER NOT NULL,
    lifetime      TEXT    NOT NULL CHECK (lifetime IN ('immutable', 'mutable', 'hosted')),
    media         TEXT    NOT NULL,
    etag          TEXT,
    last_modified TEXT,
    kept          TEXT    NOT NULL, -- JSON: header fields to replay
    source_url    TEXT,
    proven        INTEGER NOT NULL CHECK (proven IN (FALSE, TRUE)),
    fetched_at    INTEGER NOT NULL,
    validated_at  INTEGER NOT NULL,
    expires_at    INTEGER,
    last_access   INTEGER NOT NULL,
    hits          INTEGER NOT NULL,
    PRIMARY KEY (repo, key, variant)
) STRICT;
CREATE INDEX entries_digest ON entries (digest);
CREATE INDEX entries_use ON entries (repo, last_access, key, variant);
CREATE INDEX entries_size ON entries (repo, size);

-- The first digest seen under an immutable name; outlives the entry.
CREATE TABLE pins (
    repo    TEXT NOT NULL REFERENCES repositories (id),
    key     TEXT NOT NULL,
    variant TEXT NOT NULL,
    digest  TEXT NOT NULL,
    PRIMARY KEY (repo, key, variant)
) STRICT, WITHOUT ROWID;

-- What the index `owner` says about the file `id`.
CREATE TABLE facts (
    repo      TEXT NOT NULL REFERENCES repositories (id),
    owner     TEXT NOT NULL,
    id        TEXT NOT NULL,
    url       TEXT NOT NULL,
    digests   TEXT NOT NULL, -- separated by blanks, strongest first
    size      INTEGER,
    package   TEXT,
    version   TEXT,
    published INTEGER,
    source    TEXT,
    PRIMARY KEY (repo, owner, id)
) STRICT, WITHOUT ROWID;

-- When a version was first seen, and what its registry claims.
CREATE TABLE ledger (
    repo       TEXT    NOT NULL REFERENCES repositories (id),
    package    TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    first_seen INTEGER NOT NULL,
    published  INTEGER,
    source     TEXT,
    PRIMARY KEY (repo, package, version)
) STRICT, WITHOUT ROWID;

-- Served requests. The name of a repository is kept as it was.
CREATE TABLE access_log (
    id      INTEGER PRIMARY KEY,
    at      INTEGER NOT NULL,
    repo    TEXT    NOT NULL,
    method  TEXT    NOT NULL,
    path    TEXT    NOT NULL,
    status  INTEGER NOT NULL,
    outcome TEXT    NOT NULL,
    hit     INTEGER NOT NULL CHECK (hit IN (FALSE, TRUE)),
    bytes   INTEGER NOT NULL,
    micros  INTEGER NOT NULL
) STRICT;

-- Counters per hour and repository; they outlive the log.
CREATE TABLE stats (
    hour        INTEGER NOT NULL,
    repo        TEXT    NOT NULL,
    requests    INTEGER NOT NULL,
    hits        INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    bytes_saved INTEGER NOT NULL,
    PRIMARY KEY (hour, repo)
) STRICT, WITHOUT ROWID;

-- Small values kept over restarts.
CREATE TABLE settings (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
