//! Who may import whom, over `cargo metadata`: the layers of `src/ARCHITECTURE.md` and the libraries that each may name.
#![cfg(test)]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// The layers, lowest first. A crate may use what lies strictly below it.
const LAYERS: [&[&str]; 7] = [
    &["core"],
    &["io"],
    &["formats", "store", "upstream", "api"],
    &["actors"],
    &["engine"],
    &["web"],
    &[ROOT],
];

/// The root package, which puts the others together.
const ROOT: &str = "";

/// Libraries that one crate alone may name, so that the rest stays free of them.
const ONLY_IN: [(&str, &[&str]); 13] = [
    ("actix", &["actors"]),
    ("actix-http", &["web"]),
    ("actix-rt", &["actors", "web", ROOT]),
    ("actix-server", &["web"]),
    ("actix-service", &["web"]),
    ("actix-web", &["web"]),
    ("awc", &["api"]),
    ("clap", &[ROOT]),
    ("deadpool-redis", &["store"]),
    ("env_logger", &[ROOT]),
    ("reqwest", &["upstream"]),
    ("rust-s3", &["store"]),
    ("sqlx", &["store"]),
];

/// Crates that decide and never wait.
const PURE: [&str; 2] = ["core", "formats"];

/// What a pure crate must not name: runtimes, and anything that opens files or sockets by itself.
const IMPURE: [&str; 9] = [
    "actix-rt",
    "futures-util",
    "hyper",
    "log",
    "mio",
    "rustix",
    "rustls",
    "tempfile",
    "tokio",
];

/// What `core` may name of the world of futures: the words of its ports.
const PORT_WORDS: [&str; 3] = ["async-trait", "bytes", "futures-core"];

/// Dependencies per crate, both without the workspace's prefix; those for tests alone are left out.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| (short(&package["name"]), named(package)))
        .collect()
}

fn named(package: &Value) -> Vec<String> {
    let all = package["dependencies"].as_array().unwrap();
    all.iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| full(&dependency["name"]))
        .collect()
}

fn full(name: &Value) -> String {
    name.as_str().unwrap().to_owned()
}

fn short(name: &Value) -> String {
    let name = full(name);
    let short = name
        .strip_prefix("artifactapi")
        .unwrap_or_else(|| panic!("{name} is not named after the product"));
    short.trim_start_matches('-').to_owned()
}

fn level(name: &str) -> usize {
    let found = LAYERS.iter().position(|layer| layer.contains(&name));
    found.unwrap_or_else(|| panic!("{name} has no layer: add it to LAYERS"))
}

#[test]
fn crates_import_strictly_downward() {
    for (name, dependencies) in dependencies() {
        for ours in dependencies
            .iter()
            .filter_map(|dependency| dependency.strip_prefix("artifactapi-"))
        {
            assert!(level(ours) < level(&name), "{name} must not import {ours}");
        }
    }
}

#[test]
fn every_layer_has_its_crates() {
    let crates = dependencies();
    for name in LAYERS.concat() {
        assert!(
            crates.contains_key(name),
            "{name} is in LAYERS and not in the workspace"
        );
    }
}

#[test]
fn libraries_stay_in_their_crate() {
    for (name, dependencies) in dependencies() {
        for (library, homes) in ONLY_IN {
            let at_home = homes.contains(&name.as_str());
            assert!(
                at_home || !dependencies.iter().any(|d| d == library),
                "{name} must not name {library}"
            );
        }
    }
}

#[test]
fn pure_crates_know_no_runtime() {
    let crates = dependencies();
    for name in PURE {
        for dependency in &crates[name] {
            assert!(
                !IMPURE.contains(&dependency.as_str()),
                "{name} is pure and names {dependency}"
            );
        }
    }
    let words = crates["formats"]
        .iter()
        .find(|d| d.as_str() == "async-trait" || d.as_str() == "futures-core");
    assert_eq!(words, None, "formats say what, and wait for nothing");
    for word in PORT_WORDS {
        assert!(
            crates["core"].iter().any(|d| d == word),
            "core's ports are made of {word}"
        );
    }
}

#[test]
fn one_provider_of_tls_is_in_the_graph() {
    let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).unwrap();
    for other in ["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"] {
        assert!(
            !lock.contains(&format!("name = \"{other}\"\n")),
            "{other} came into the graph"
        );
    }
}
