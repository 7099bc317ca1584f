//! Every statement of the catalog. Each is meant for SQLite and PostgreSQL alike: `$n` placeholders, times as
//! integers of microseconds, no function that only one of them has, prefixes as ranges of keys (`LIKE` ignores case
//! on SQLite), sums cast back to bigint.
//!
//! On PostgreSQL a statement that waited for a row looks again at the row alone: what must hold when it is written
//! stands in conditions on the row itself; and what is asked about other tables is asked by a later statement than the
//! one that took the lock.
//!
//! No other file holds SQL, except for opening a database, the migrations, and the copy of whole tables.

/// Declares statements, and for the tests their list.
macro_rules! statements {
    ($($name:ident = $text:expr;)+) => {
        $(pub(super) const $name: &str = $text;)+

        /// Each statement with its name.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name),)+];
    };
}

/// Selects whole entries; an entry whose blob has no row gets an empty object name.
macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT e.repo, e.key, e.variant, e.digest, COALESCE(b.object, ''), e.size, e.lifetime, e.media, e.etag, \
             e.last_modified, e.kept, e.source_url, e.proven, e.fetched_at, e.validated_at, e.expires_at, \
             e.last_access, e.hits FROM entries e LEFT JOIN blobs b ON b.digest = e.digest ",
            $rest
        )
    };
}

statements! {
    // Repositories.
    REPOSITORIES = "SELECT id, name, package_type, role, revision, created_at, updated_at \
        FROM repositories ORDER BY name";
    CREATE_REPOSITORY = "INSERT INTO repositories \
        (id, name, package_type, role, revision, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT (name) DO NOTHING";
    REPLACE_REPOSITORY = "UPDATE repositories SET role = $1, revision = $2, updated_at = $3 \
        WHERE id = $4 AND revision = $5";
    REPOSITORY = "SELECT id, name, package_type, role, revision FROM repositories WHERE id = $1";
    RESEAL = "UPDATE repositories SET role = $1 WHERE id = $2 AND revision = $3 AND role = $4";
    LOCK_REPOSITORY = "UPDATE repositories SET revision = revision WHERE id = $1 RETURNING revision";
    DELETE_REPOSITORY = "DELETE FROM repositories WHERE id = $1";
    DELETE_ENTRIES = "DELETE FROM entries WHERE repo = $1";
    DELETE_FACTS = "DELETE FROM facts WHERE repo = $1";
    DELETE_PINS = "DELETE FROM pins WHERE repo = $1";
    DELETE_LEDGER = "DELETE FROM ledger WHERE repo = $1";
    EPOCH = "SELECT value FROM counters WHERE name = 'epoch'";
    NEXT_EPOCH = "UPDATE counters SET value = value + 1 WHERE name = 'epoch'";

    // Entries.
    ENTRY = select_entries!("WHERE e.repo = $1 AND e.key = $2 AND e.variant = $3");
    PAGE = select_entries!("WHERE e.repo = $1 AND e.key >= $2 AND e.key < $3 \
        AND (e.key, e.variant, CAST(1 AS bigint)) > ($4, $5, CAST($6 AS bigint)) \
        AND ($7 = '' OR replace(e.key, $7, '') <> e.key) ORDER BY e.key, e.variant LIMIT $8");
    COLDEST = select_entries!("WHERE e.repo = $1 AND e.last_access <= $2 \
        ORDER BY e.last_access, e.key, e.variant LIMIT $3");
    CACHED_ENTRIES_OF_DIGEST = select_entries!("WHERE e.digest = $1 AND e.lifetime <> 'hosted' \
        ORDER BY e.repo, e.key, e.variant");
    USAGE = "SELECT count(*), CAST(COALESCE(sum(size), 0) AS bigint) FROM entries WHERE repo = $1";
    PUT_ENTRY = "INSERT INTO entries (repo, key, variant, digest, size, lifetime, media, etag, last_modified, kept, \
        source_url, proven, fetched_at, validated_at, expires_at, last_access, hits) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $13, 0) \
        ON CONFLICT (repo, key, variant) DO UPDATE SET digest = excluded.digest, size = excluded.size, \
        lifetime = excluded.lifetime, media = excluded.media, etag = excluded.etag, \
        last_modified = excluded.last_modified, kept = excluded.kept, source_url = excluded.source_url, \
        proven = excluded.proven, fetched_at = excluded.fetched_at, validated_at = excluded.validated_at, \
        expires_at = excluded.expires_at";
    REVALIDATE_ENTRY = "UPDATE entries SET validated_at = $1, expires_at = $2, etag = COALESCE($3, etag), \
        last_modified = COALESCE($4, last_modified) WHERE repo = $5 AND key = $6 AND variant = $7 AND digest = $8 \
        AND validated_at <= $1";
    DELETE_ENTRY = "DELETE FROM entries WHERE repo = $1 AND key = $2 AND variant = $3";
    TOUCH_ENTRY = "UPDATE entries SET hits = hits + $1, \
        last_access = CASE WHEN last_access < $2 THEN $2 ELSE last_access END \
        WHERE repo = $3 AND key = $4 AND variant = $5";
    DANGLING = "SELECT e.repo, e.key, e.variant FROM entries e LEFT JOIN blobs b ON b.digest = e.digest \
        WHERE b.digest IS NULL ORDER BY e.repo, e.key, e.variant LIMIT $1";

    // Pins.
    PIN = "SELECT digest FROM pins WHERE repo = $1 AND key = $2 AND variant = $3";
    PUT_PIN = "INSERT INTO pins (repo, key, variant, digest) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (repo, key, variant) DO UPDATE SET digest = excluded.digest";
    DELETE_PIN = "DELETE FROM pins WHERE repo = $1 AND key = $2 AND variant = $3";

    // Facts and the ledger.
    FACT = "SELECT id, url, digests, size, package, version, published, source FROM facts \
        WHERE repo = $1 AND owner = $2 AND id = $3";
    PUT_FACTS = "INSERT INTO facts (repo, owner, id, url, digests, size, package, version, published, source) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (repo, owner, id) DO NOTHING";
    DELETE_FACTS_OF = "DELETE FROM facts WHERE repo = $1 AND owner = $2";
    DELETE_ORPHAN_FACTS_OF = "DELETE FROM facts WHERE repo = $1 AND owner = $2 \
        AND NOT EXISTS (SELECT 1 FROM entries WHERE repo = $1 AND key = $2)";
    LEDGER = "SELECT first_seen, published, source FROM ledger WHERE repo = $1 AND package = $2 AND version = $3";
    PUT_LEDGER = "INSERT INTO ledger (repo, package, version, first_seen, published, source) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (repo, package, version) DO UPDATE SET \
        first_seen = CASE WHEN excluded.first_seen < ledger.first_seen THEN excluded.first_seen \
        ELSE ledger.first_seen END, published = COALESCE(excluded.published, ledger.published), \
        source = COALESCE(excluded.source, ledger.source) WHERE excluded.first_seen < ledger.first_seen \
        OR COALESCE(excluded.published, ledger.published, 0) <> COALESCE(ledger.published, 0) \
        OR COALESCE(excluded.source, ledger.source, '') <> COALESCE(ledger.source, '')";

    // Blobs.
    LOCK_BLOB = "UPDATE blobs SET size = size WHERE digest = $1";
    LOCK_BLOBS_OF = "UPDATE blobs SET size = size WHERE digest IN (SELECT digest FROM entries WHERE repo = $1)";
    PLACE_BLOB = "INSERT INTO blobs (digest, object, size, deleting) VALUES ($1, $2, $3, FALSE) \
        ON CONFLICT (digest) DO UPDATE SET \
        object = CASE WHEN blobs.deleting THEN excluded.object ELSE blobs.object END, \
        size = CASE WHEN blobs.deleting THEN excluded.size ELSE blobs.size END, deleting = FALSE, \
        unreferenced_since = NULL RETURNING object";
    BLOB_RELEASED = "UPDATE blobs SET unreferenced_since = $1 WHERE digest = $2 \
        AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.digest = blobs.digest)";
    BLOBS_RELEASED_BY = "UPDATE blobs SET unreferenced_since = $1 \
        WHERE digest IN (SELECT digest FROM entries WHERE repo = $2) \
        AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.digest = blobs.digest AND e.repo <> $2)";
    BLOBS = "SELECT digest, object, size, deleting, \
        (SELECT count(*) FROM entries e WHERE e.digest = blobs.digest) \
        FROM blobs WHERE digest > $1 ORDER BY digest LIMIT $2";
    KNOWN_OBJECTS = "SELECT object FROM blobs WHERE object IN (VALUES ($1))";
    MARK_DELETING = "UPDATE blobs SET deleting = TRUE WHERE digest IN (SELECT digest FROM blobs \
        WHERE unreferenced_since < $1 AND NOT deleting \
        AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.digest = blobs.digest) \
        ORDER BY unreferenced_since LIMIT $2) AND unreferenced_since < $1 AND NOT deleting";
    DELETING = "SELECT digest, object, size, deleting, CAST(0 AS bigint) FROM blobs \
        WHERE deleting ORDER BY digest LIMIT $1";
    END_DELETING = "DELETE FROM blobs WHERE digest = $1 AND object = $2 AND deleting";
    DIGEST_OF = "SELECT digest FROM blobs WHERE object = $1";
    DELETE_BLOB = "DELETE FROM blobs WHERE object = $1";

    // The journal.
    PUT_LOG = "INSERT INTO access_log (at, repo, method, path, status, outcome, hit, bytes, micros) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    ADD_STATS = "INSERT INTO stats (hour, repo, requests, hits, bytes, bytes_saved) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hour, repo) DO UPDATE SET \
        requests = stats.requests + excluded.requests, hits = stats.hits + excluded.hits, \
        bytes = stats.bytes + excluded.bytes, bytes_saved = stats.bytes_saved + excluded.bytes_saved";
    STATS = "SELECT hour, repo, requests, hits, bytes, bytes_saved FROM stats WHERE hour >= $1 \
        ORDER BY hour, repo";
    // Rows come in the order of their time, or nearly so: the oldest are first, and no index is needed to find them. Those
    // that a wrong clock has dated ahead go, too, or nothing behind them would.
    PRUNE_LOG = "DELETE FROM access_log WHERE (at < $1 OR at > $2) AND id IN \
        (SELECT id FROM access_log ORDER BY id LIMIT $3)";
    SETTING = "SELECT value FROM settings WHERE name = $1";
    SET = "UPDATE settings SET value = $2 WHERE name = $1";
    SETTLE = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
}

/// A statement for `rows` rows, made from one for a single row: repeats what follows `VALUES` in parentheses, with
/// the placeholders counting on.
pub(super) fn for_rows(statement: &str, rows: usize) -> String {
    repeated(statement, |width| {
        let groups: Vec<String> = (0..rows)
            .map(|at| {
                let places: Vec<_> = (1..=width).map(|n| format!("${}", at * width + n)).collect();
                format!("({})", places.join(", "))
            })
            .collect();
        groups.join(", ")
    })
}

/// The same with placeholders that have no numbers and stand in order.
pub(super) fn for_rows_in_order(statement: &str, rows: usize) -> String {
    repeated(statement, |width| {
        let group = format!("({}), ", vec!["?"; width].join(", "));
        group.repeat(rows).trim_end_matches(", ").to_owned()
    })
}

/// Puts groups of so many placeholders where the statement has one.
fn repeated(statement: &str, groups: impl FnOnce(usize) -> String) -> String {
    let Some((head, rest)) = statement.split_once("VALUES (") else {
        return statement.to_owned();
    };
    let (row, tail) = rest.split_once(')').unwrap_or((rest, ""));
    format!("{head}VALUES {}{tail}", groups(row.split(',').count()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_becomes_many_with_placeholders_counting_on() {
        assert_eq!(
            for_rows("INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING", 2),
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING"
        );
        assert_eq!(
            for_rows_in_order("INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING", 2),
            "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING"
        );
        assert_eq!(
            for_rows(KNOWN_OBJECTS, 3),
            "SELECT object FROM blobs WHERE object IN (VALUES ($1), ($2), ($3))"
        );
    }

    #[test]
    fn a_single_row_is_the_statement_itself() {
        for (name, statement) in [("facts", PUT_FACTS), ("ledger", PUT_LEDGER), ("log", PUT_LOG)] {
            assert_eq!(for_rows(statement, 1), statement, "{name}");
        }
    }

    /// The text of all files of the folder but those that may hold SQL.
    fn others(folder: &std::path::Path) -> String {
        let mut text = String::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let exempt = [
                "sql.rs",
                "migrate.rs",
                "transfer/tables.rs",
                "tests.rs",
                "tests",
                "testing.rs",
            ]
            .iter()
            .any(|name| path.ends_with(name));
            if path.is_dir() && !exempt {
                text.push_str(&others(&path));
            } else if path.extension().is_some_and(|ext| ext == "rs") && !exempt {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
        text
    }

    /// A statement that nobody runs is a leftover; SQL elsewhere escapes the tests that prepare it.
    #[test]
    fn every_statement_is_used_and_none_stands_elsewhere() {
        let others = others(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("catalog"));
        for (name, _) in ALL {
            let path = format!("sql::{name}");
            let mut after = others.split(&path).skip(1);
            assert!(
                after.any(|rest| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric())),
                "{name} is not used"
            );
        }
        for word in ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE "] {
            assert!(!others.contains(word), "{word} outside sql.rs");
        }
    }
}
