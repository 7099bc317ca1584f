//! `check-config`: what is in force and from where; secrets as stars.

use serde_json::json;

use super::machine::Machine;
use super::out::{json as print, say};
use super::settings::Layers;
use super::{Failure, examples};

/// Print every setting that is in force and where it comes from
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi check-config" => "defaults and environment",
    "artifactapi check-config --config config/artifactapi.toml --set gc.grace=60" => "with a file and a flag on top",
))]
pub(crate) struct Args {
    #[command(flatten)]
    layers: Layers,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args, machine: &Machine) -> Result<(), Failure> {
    let loaded = args.layers.load(machine)?;
    let origin = |key: &str| {
        loaded
            .origins
            .get(key)
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let settings = loaded.config.settings();
    if args.json {
        let entry =
            |(key, value): (String, String)| json!({"origin": origin(&key), "key": key, "value": value});
        print(&settings.into_iter().map(entry).collect::<Vec<_>>());
        return Ok(());
    }
    let width = settings
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .max()
        .unwrap_or_default()
        + 3;
    for (key, value) in settings {
        let setting = format!("{key} = {value}");
        say(format!("{setting:width$}  # {}", origin(&key)));
    }
    Ok(())
}
