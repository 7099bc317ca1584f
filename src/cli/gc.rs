//! `gc`: asks a running server to collect what nobody names any more.

use artifactapi_api::gc::GcOrder;

use super::machine::Machine;
use super::out::json;
use super::server::ServerArgs;
use super::{Failure, examples};

/// Collect garbage in a running server now
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi gc --dry-run" => "say what would be removed",
    "artifactapi gc --grace 0" => "remove at once what nobody names any more",
))]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// Say what would be removed and remove nothing
    #[arg(long)]
    dry_run: bool,

    /// How long what nobody names is kept, in seconds; the server's setting if left out
    #[arg(long, value_name = "SECONDS")]
    grace: Option<u64>,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, machine: &Machine) -> Result<(), Failure> {
    let order = GcOrder {
        grace_seconds: args.grace,
        dry_run: args.dry_run,
    };
    let report = args.server.client(machine)?.collect(&order).await;
    json(&report.map_err(|refusal| Failure::new(refusal.to_string()))?);
    Ok(())
}
