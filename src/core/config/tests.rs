use std::collections::BTreeMap;

use super::*;
use crate::fault::FieldError;
use crate::repository::Secret;

const EXAMPLE: &str = include_str!("../../../config/artifactapi.toml");

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
}

fn load(
    files: &[(&str, &str)],
    env: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, Vec<FieldError>> {
    let env: BTreeMap<_, _> = pairs(env).into_iter().collect();
    Config::load(&pairs(files), &env, &pairs(flags))
}

fn errors(files: &[(&str, &str)], env: &[(&str, &str)], flags: &[(&str, &str)]) -> Vec<String> {
    let errors = load(files, env, flags).unwrap_err();
    errors
        .into_iter()
        .map(|e| format!("{}: {}", e.field, e.reason))
        .collect()
}

fn assert_says(errors: &[String], field: &str, words: &[&str]) {
    let said = errors.iter().any(|error| {
        error.starts_with(&format!("{field}: ")) && words.iter().all(|word| error.contains(word))
    });
    assert!(said, "{field} {words:?} in {errors:?}");
}

#[test]
fn nothing_given_means_the_defaults() {
    let loaded = load(&[], &[], &[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.origins.values().all(|origin| *origin == Origin::Default));
    assert_eq!(loaded.origins.len(), loaded.config.settings().len());
}

#[test]
fn later_layers_win_and_are_named() {
    let file = (
        "a.toml",
        "[upstream]\nretries = 1\nresumes = 1\nqueue = 1\nin_all = 1",
    );
    let second = ("b.toml", "[upstream]\nretries = 2\nresumes = 2\nqueue = 2");
    let env = [
        ("ARTIFACTAPI_UPSTREAM_RETRIES", "3"),
        ("ARTIFACTAPI_UPSTREAM_RESUMES", "3"),
    ];
    let loaded = load(&[file, second], &env, &[("upstream.retries", "4")]).unwrap();
    let upstream = &loaded.config.upstream;
    assert_eq!(
        (
            upstream.retries,
            upstream.resumes,
            upstream.queue,
            upstream.in_all,
            upstream.per_host
        ),
        (4, 3, 2, 1, 64)
    );
    let origin = |key: &str| loaded.origins[&format!("upstream.{key}")].to_string();
    assert_eq!(origin("retries"), "flag");
    assert_eq!(origin("resumes"), "environment ARTIFACTAPI_UPSTREAM_RESUMES");
    assert_eq!(origin("queue"), "file b.toml");
    assert_eq!(origin("in_all"), "file a.toml");
    assert_eq!(origin("per_host"), "default");
}

#[test]
fn well_known_variables_mean_their_settings() {
    let config = load(
        &[],
        &[
            ("LISTEN_ADDR", "127.0.0.1:9000"),
            ("ARTIFACTAPI_DATA_DIR", "/srv/data"),
            ("ARTIFACTAPI_PUBLIC_URL", "https://cache.example/"),
            ("ARTIFACTAPI_ADMIN_TOKEN", "correct-horse"),
            ("ARTIFACTAPI_GC_GRACE", "7"),
            ("ARTIFACTAPI_GC_INTERVAL", "8"),
            ("TLS_CERT", "/c.pem"),
            ("TLS_KEY", "/k.pem"),
            ("ARTIFACTAPI_LOG_FORMAT", "json"),
            ("ARTIFACTAPI_ACCESS_METRICS_OPEN", "false"),
            ("DBHOST", ""),
            ("ARTIFACTAPI_SERVICE_HOST", "10.0.0.1"),
            ("ARTIFACTAPI_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
            ("HOME", "/root"),
        ],
        &[],
    )
    .unwrap()
    .config;
    assert_eq!(config.server.bind().unwrap().host.as_deref(), Some("127.0.0.1"));
    assert_eq!(config.store.data_dir, std::path::Path::new("/srv/data"));
    assert_eq!(
        config.server.public_url.unwrap().as_str(),
        "https://cache.example/"
    );
    assert_eq!(config.access.admin_token.unwrap().0, "correct-horse");
    assert_eq!((config.gc.grace, config.gc.interval), (7, 8));
    assert_eq!(config.server.tls_key.unwrap(), std::path::Path::new("/k.pem"));
    assert_eq!(config.log.format, LogFormat::Json);
    assert!(!config.access.metrics_open);
}

#[test]
fn unknown_keys_are_errors_that_name_them_and_their_layer() {
    let file = ("x.toml", "stray = 1\n[upstream]\nretrys = 2\n[nowhere]\na = 1");
    let errors = errors(
        &[file],
        &[
            ("ARTIFACTAPI_UPSTREAM_RETRYS", "1"),
            ("ARTIFACTAPI_DATADIR", "/x"),
        ],
        &[("server.port", "1"), ("listen", "1")],
    );
    assert_says(&errors, "stray", &["x.toml"]);
    assert_says(&errors, "upstream.retrys", &["unknown", "retries", "x.toml"]);
    assert_says(&errors, "nowhere.a", &["no section", "x.toml"]);
    assert_says(&errors, "ARTIFACTAPI_UPSTREAM_RETRYS", &["no setting"]);
    assert_says(&errors, "ARTIFACTAPI_DATADIR", &["no setting"]);
    assert_says(&errors, "server.port", &["unknown", "flag"]);
    assert_says(&errors, "listen", &["unknown"]);
    assert_eq!(errors.len(), 7);
}

#[test]
fn variables_of_the_three_servers_keep_their_meaning() {
    let env = [
        ("DBHOST", "db.example"),
        ("DBPORT", "5433"),
        ("DBUSER", "u"),
        ("DBPASS", "p"),
        ("DBNAME", "n"),
        ("REDIS_URL", "redis://hints.example/3"),
        ("MINIO_ENDPOINT", "objects.example:9000"),
        ("MINIO_ACCESS_KEY", "a"),
        ("MINIO_SECRET_KEY", "s"),
        ("MINIO_BUCKET", "b"),
        ("MINIO_SECURE", "true"),
        ("MINIO_REGION", "r"),
    ];
    let config = load(&[], &env, &[]).unwrap().config;
    let database = &config.postgresql;
    assert_eq!(database.host.as_deref(), Some("db.example"));
    assert_eq!(
        (database.port, database.user.as_str(), database.database.as_str()),
        (5433, "u", "n")
    );
    assert_eq!(database.password, Some(Secret("p".into())));
    assert_eq!(config.redis.url, Some(Secret("redis://hints.example/3".into())));
    assert_eq!(config.s3.url().unwrap().as_str(), "https://objects.example:9000/");
    assert_eq!((config.s3.bucket.as_str(), config.s3.region.as_str()), ("b", "r"));
    assert_eq!(config.s3.access_key.as_deref(), Some("a"));
    assert_eq!(config.s3.secret_key, Some(Secret("s".into())));
}

#[test]
fn settings_of_servers_that_cannot_be_are_named() {
    let wrong = errors(
        &[(
            "x.toml",
            "[s3]\nendpoint = \"ftp://x\"\npart_bytes = 1\n[redis]\nurl = \"http://x\"",
        )],
        &[("DBPORT", "70000"), ("ARTIFACTAPI_POSTGRESQL_TLS", "maybe")],
        &[("store.secret_key", "a"), ("store.secret_key_file", "b")],
    );
    assert_says(&wrong, "s3.endpoint", &["URL"]);
    assert_says(&wrong, "s3.part_bytes", &["5242880"]);
    assert_says(&wrong, "s3.access_key", &["missing"]);
    assert_says(&wrong, "redis.url", &["redis://"]);
    assert_says(&wrong, "postgresql.port", &["65535"]);
    assert_says(&wrong, "postgresql.tls", &["verify-full"]);
    assert_says(&wrong, "store.secret_key_file", &["secret_key"]);
}

#[test]
fn two_variables_for_one_setting_must_agree() {
    let both = |alias| [("LISTEN_ADDR", alias), ("ARTIFACTAPI_SERVER_LISTEN", ":1")];
    assert_says(
        &errors(&[], &both(":2"), &[]),
        "LISTEN_ADDR",
        &["contradicts ARTIFACTAPI_SERVER_LISTEN"],
    );
    assert_eq!(load(&[], &both(":1"), &[]).unwrap().config.server.listen, ":1");
}

#[test]
fn values_of_the_wrong_kind_say_what_is_right() {
    let file = (
        "x.toml",
        "[upstream]\nretries = -1\nqueue = \"9\"\n[log]\nlevel = \"loud\"\nformat = 1",
    );
    let errors = errors(
        &[file],
        &[
            ("ARTIFACTAPI_ACCESS_METRICS_OPEN", "perhaps"),
            ("ARTIFACTAPI_PUBLIC_URL", "cache"),
        ],
        &[("gc.grace", "1h"), ("store.data_dir", "")],
    );
    assert_says(&errors, "upstream.retries", &["whole number", "x.toml"]);
    assert_says(&errors, "upstream.queue", &["whole number"]);
    assert_says(&errors, "log.level", &["off, error, warn, info, debug, trace"]);
    assert_says(&errors, "log.format", &["string"]);
    assert_says(
        &errors,
        "access.metrics_open",
        &["true or false", "ARTIFACTAPI_ACCESS_METRICS_OPEN"],
    );
    assert_says(&errors, "server.public_url", &["URL"]);
    assert_says(&errors, "gc.grace", &["whole number", "flag"]);
    assert_says(&errors, "store.data_dir", &["path"]);
}

#[test]
fn sections_refuse_values_that_make_no_sense() {
    for (key, value) in [
        ("server.listen", "8000"),
        ("server.listen", "::1:8000"),
        ("server.listen", "[::1]:99999"),
        ("server.listen", "[nonsense]:1"),
        ("server.public_url", "ftp://h.example/"),
        ("server.public_url", "https://u:p@h.example/"),
        ("deadlines.body_idle_seconds", "0"),
        ("upstream.per_host", "0"),
        ("upstream.resumes", "21"),
        ("cache.held_head_seconds", "0"),
        ("gc.log_retention_days", "0"),
        ("access.admin_token", "short"),
        ("access.admin_token", "has a space in it"),
    ] {
        assert_says(&errors(&[], &[], &[(key, value)]), key, &["flag"]);
    }
    assert_says(
        &errors(&[], &[("TLS_CERT", "c")], &[]),
        "server.tls_key",
        &["go together"],
    );
    assert_says(
        &errors(&[], &[("TLS_KEY", "k")], &[]),
        "server.tls_cert",
        &["go together"],
    );
}

#[test]
fn listening_takes_names_addresses_and_all_interfaces() {
    let bind = |listen: &str| {
        let config = load(&[], &[("LISTEN_ADDR", listen)], &[]).unwrap().config;
        let bind = config.server.bind().unwrap();
        (bind.host.unwrap_or_default(), bind.port)
    };
    assert_eq!(bind(":8000"), (String::new(), 8000));
    assert_eq!(bind("[::1]:0"), ("::1".to_owned(), 0));
    assert_eq!(bind("localhost:80"), ("localhost".to_owned(), 80));
}

#[test]
fn secrets_are_never_shown() {
    let file = ("x.toml", "[access]\nadmin_token = \"correct-horse\"");
    let loaded = load(&[file], &[], &[]).unwrap();
    let shown = loaded.config.settings();
    assert!(shown.contains(&("access.admin_token".to_owned(), "\"***\"".to_owned())));
    assert!(!format!("{loaded:?}").contains("horse"));
    let broken = ("x.toml", "[access]\nadmin_token = \"correct-horse");
    let refused = errors(&[broken], &[], &[]);
    assert_says(&refused, "x.toml", &["line 2"]);
    assert!(!refused.concat().contains("horse"));
}

#[test]
fn the_example_names_every_key_and_its_default() {
    let untouched = load(&[("example", EXAMPLE)], &[], &[]).unwrap();
    assert!(
        untouched
            .origins
            .values()
            .all(|origin| *origin == Origin::Default)
    );
    let setting = |line: &str| {
        line.strip_prefix('#')
            .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
            .unwrap_or(line)
            .to_owned()
    };
    let uncommented: Vec<_> = EXAMPLE.lines().map(setting).collect();
    let loaded = load(&[("example", &uncommented.join("\n"))], &[], &[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    let unnamed: Vec<_> = loaded
        .origins
        .iter()
        .filter(|(_, origin)| **origin == Origin::Default)
        .collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
    assert!(
        Config::default()
            .settings()
            .iter()
            .all(|(_, value)| EXAMPLE.contains(value))
    );
}
