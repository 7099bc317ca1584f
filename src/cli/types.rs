//! `types`: the package types, from the one list of the formats.

use artifactapi_formats::Describe;

use super::examples;
use super::out::{json, say};

/// List the package types that this program speaks
#[derive(clap::Args, Clone, Copy, Debug)]
#[command(after_help = examples!(
    "artifactapi types" => "one line for each type",
    "artifactapi types --json" => "everything that is known of them, client set-up included",
))]
pub(crate) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: Args) {
    let types: Vec<Describe> = artifactapi_formats::ALL
        .iter()
        .map(|format| format.describe())
        .collect();
    if args.json {
        json(&types);
        return;
    }
    for kind in types {
        say(format!("{:10} {:14} {}", kind.name, roles(&kind), kind.about));
    }
}

fn roles(kind: &Describe) -> &'static str {
    if kind.hosts { "remote, local" } else { "remote" }
}
