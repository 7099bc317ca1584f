//! `migrate`: brings the catalog to this version's form, without serving.

use artifactapi::Stores;

use super::machine::Machine;
use super::out::say;
use super::settings::Layers;
use super::{Failure, examples};

/// Bring the catalog to the form of this version, and end
///
/// `serve` does the same at its start; this is for those who want it done before.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi migrate --data-dir /var/lib/artifactapi" => "no server may run on the folder meanwhile",
))]
pub(crate) struct Args {
    #[command(flatten)]
    layers: Layers,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, machine: &Machine) -> Result<(), Failure> {
    let config = args.layers.load(machine)?.config;
    let stores = Stores::open(&config).await?;
    say(format!("the catalog ({}) is up to date", stores.catalog.kind()));
    Ok(())
}
