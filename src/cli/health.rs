//! `health`: asks a running server how it fares; for people, and for whoever restarts containers.

use artifactapi_api::health::{Health, Status};

use super::machine::Machine;
use super::out::{json, say};
use super::server::ServerArgs;
use super::{Failure, examples};

/// Ask a running server how it fares
///
/// Ends with 0 unless the server is down or cannot be reached.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi health" => "the server of the folder ./data",
    "artifactapi health --endpoint http://cache.example:8000 --json" => "another server, everything it says",
))]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, machine: &Machine) -> Result<(), Failure> {
    let answer = args.server.client(machine)?.health().await;
    let health = answer.map_err(|refusal| Failure::new(refusal.to_string()))?;
    if args.json {
        json(&health);
    } else {
        lines(&health).for_each(say);
    }
    if health.status == Status::Down {
        return Err(Failure::new("the server is down"));
    }
    Ok(())
}

fn lines(health: &Health) -> impl Iterator<Item = String> {
    let whole = format!("{} (version {})", word(health.status), health.version);
    let components = health
        .components
        .iter()
        .map(|part| format!("  {} ({}): {}", part.name, part.kind, word(part.status)));
    let workers = health.workers.iter().map(|worker| {
        format!(
            "  {}: {}, {} restarts, {} waiting",
            worker.name, worker.state, worker.restarts, worker.queue
        )
    });
    std::iter::once(whole).chain(components).chain(workers)
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Degraded => "degraded",
        Status::Down => "down",
    }
}
