//! What the documents say, held against the program: codes, settings, types, commands.
#![cfg(test)]

use std::collections::BTreeSet;

use artifactapi_core::config::Config;
use artifactapi_core::fault::Kind;
use artifactapi_core::repository::{LocalSettings, RemoteSettings};
use serde::Serialize;
use serde_json::{from_str, to_value};

const README: &str = include_str!("../README.md");
const CONTRIBUTING: &str = include_str!("../CONTRIBUTING.md");
const FAULTS: &str = include_str!("../docs/faults.md");
const REPOSITORIES: &str = include_str!("../docs/repositories.md");
const OPERATIONS: &str = include_str!("../docs/operations.md");

/// The words in backquotes at the beginning of the rows of tables.
fn first_cells(text: &str) -> BTreeSet<&str> {
    let cells = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_fault_has_its_row_and_its_explanation() {
    let headings: Vec<&str> = FAULTS
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let codes: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(headings.iter().copied().collect::<BTreeSet<_>>(), codes);
    assert_eq!(headings.len(), codes.len(), "a code is explained twice");
    for kind in Kind::ALL {
        let row = format!("| [`{0}`](#{0}) | {1} |", kind.code(), kind.status());
        assert!(FAULTS.contains(&row), "no row {row}");
    }
}

#[test]
fn every_setting_is_in_the_readme() {
    let documented = first_cells(README);
    for (key, _) in Config::default().settings() {
        assert!(documented.contains(key.as_str()), "{key} is not in README.md");
    }
    let known: BTreeSet<String> = Config::default()
        .settings()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    for cell in documented {
        let is_setting = cell
            .split_once('.')
            .is_some_and(|(section, _)| sections.contains(section));
        assert!(
            !is_setting || known.contains(cell),
            "README.md documents {cell}, which is no setting"
        );
    }
}

/// The names of the fields of something.
fn fields(settings: impl Serialize) -> BTreeSet<String> {
    let value = to_value(settings).unwrap();
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_field_of_a_repository_is_documented_and_no_other() {
    let remote: RemoteSettings = from_str(r#"{"base_url":"https://files.example/"}"#).unwrap();
    let (remotes, locals) = REPOSITORIES.split_once("## Locals").unwrap();
    for (text, fields) in [
        (remotes, fields(remote)),
        (locals, fields(LocalSettings::default())),
    ] {
        let rows = text
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        let documented = rows.flat_map(|cell| cell.split('`').step_by(2).map(str::to_owned));
        let documented: BTreeSet<_> = documented.filter(|name| !name.is_empty()).collect();
        assert_eq!(documented, fields);
    }
}

#[test]
fn every_package_type_is_in_the_readme() {
    let documented = first_cells(README);
    for format in artifactapi_formats::ALL {
        let name = format.describe().name;
        assert!(documented.contains(name), "{name} is not in README.md");
    }
}

#[test]
fn every_command_is_in_the_readme() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_artifactapi"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let listed = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty());
    let commands: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"serve"), "{help}");
    for command in commands {
        assert!(
            first_cells(README).contains(command),
            "{command} is not in README.md"
        );
    }
}

#[test]
fn every_script_is_told_of() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["scripts", "scripts/trials"] {
        for item in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = item.unwrap().path();
            // What has an extension belongs to another script.
            if path.is_file() && path.extension().is_none() {
                let name = format!("`{folder}/{}", path.file_name().unwrap().to_str().unwrap());
                let told = |text: &str| {
                    text.split(name.as_str())
                        .skip(1)
                        .any(|rest| rest.starts_with(['`', ' ']))
                };
                assert!(
                    told(README) || told(CONTRIBUTING),
                    "{name}` is neither in README.md nor in CONTRIBUTING.md"
                );
            }
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (folder, text) in [
        ("", README),
        ("docs", FAULTS),
        ("docs", OPERATIONS),
        ("", CONTRIBUTING),
    ] {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let local = !target.starts_with('#') && !target.contains("://");
            assert!(
                !local || root.join(folder).join(target).exists(),
                "{target} does not exist"
            );
        }
    }
}
