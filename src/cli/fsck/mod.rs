//! `fsck`: proves that the store holds what the catalog says. Reads only, unless it is told to repair.

mod report;
mod walk;

use artifactapi::Stores;

use self::report::Report;
use self::walk::Walk;
use super::machine::Machine;
use super::out::{json, say};
use super::settings::Layers;
use super::{Failure, examples};

/// Exit code where damage was found.
const DAMAGED: u8 = 1;
/// Exit code where nothing could be checked.
const NOT_RUN: u8 = 2;

/// Check that everything the catalog names is stored, whole, and nothing else
///
/// Runs beside a server or alone. Ends with 0 where all is well or only waste was found, with 1 on damage, and with 2
/// where it could not run.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi fsck" => "compare the catalog with the sizes of what is stored",
    "artifactapi fsck --rehash" => "read every byte, too",
    "artifactapi fsck --repair --rehash" => "forget what is damaged, so that it is fetched again; remove waste",
))]
pub(crate) struct Args {
    #[command(flatten)]
    layers: Layers,

    /// Forget damaged cached objects and remove waste; no server may run on the folder
    #[arg(long)]
    repair: bool,

    /// Compute every digest anew
    #[arg(long)]
    rehash: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, machine: &Machine) -> Result<(), Failure> {
    let report = checked(args, machine)
        .await
        .map_err(|failure| Failure::with_code(failure.what, NOT_RUN))?;
    if args.json {
        json(&report);
    } else {
        report.lines().for_each(say);
    }
    if report.is_damaged() {
        return Err(Failure::with_code("the store is damaged", DAMAGED));
    }
    Ok(())
}

async fn checked(args: &Args, machine: &Machine) -> Result<Report, Failure> {
    let config = args.layers.load(machine)?.config;
    let stores = if args.repair {
        Stores::open(&config).await?
    } else {
        Stores::open_read_only(&config).await?
    };
    Ok(Walk::new(&stores, args.repair, args.rehash).run().await?)
}
