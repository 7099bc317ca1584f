//! `fsck`: proves that the store holds what the catalog says. Reads only, unless it is told to repair.

mod lines;

use std::sync::Arc;
use std::time::Duration;

use artifactapi::Stores;
use artifactapi_core::Fault;
use artifactapi_engine::fsck::{self as engine, Report};

use super::machine::Machine;
use super::out::{json, say};
use super::settings::Layers;
use super::{Failure, examples};

/// Times to look where a server starts meanwhile.
const ATTEMPTS: u32 = 3;
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
        say_all(&report);
    }
    match report.exit_code() {
        0 => Ok(()),
        damaged => Err(Failure::with_code("the store is damaged", damaged)),
    }
}

/// Prints a report for people.
pub(super) fn say_all(report: &Report) {
    lines::of(report).for_each(say);
}

async fn checked(args: &Args, machine: &Machine) -> Result<Report, Failure> {
    let config = args.layers.load(machine)?.config;
    for _ in 0..ATTEMPTS {
        let stores = if args.repair {
            Stores::open(&config).await?
        } else {
            Stores::open_read_only(&config).await?
        };
        // Who has the folder for itself knows that nothing in it belongs to a running write; others may write elsewhere.
        let grace = if stores.is_shared() {
            Duration::from_secs(config.gc.grace)
        } else {
            Duration::ZERO
        };
        let report = look(&stores, args, grace).await;
        let current = stores.is_current();
        stores.close().await;
        if current {
            return Ok(report?);
        }
    }
    Err(Failure::new(
        "other processes open and close the catalog all the time",
    ))
}

async fn look(stores: &Stores, args: &Args, grace: Duration) -> Result<Report, Fault> {
    let stores = engine::Stores {
        catalog: Arc::clone(&stores.catalog),
        blobs: Arc::clone(&stores.blobs),
        spools: Arc::clone(&stores.spools),
        clock: Arc::clone(&stores.clock),
    };
    let options = engine::Options {
        rehash: args.rehash,
        repair: args.repair,
        grace,
    };
    engine::fsck(&stores, &options).await
}
