//! `rotate-secrets`: asks a running server to seal every secret with the first of its keys.

use super::machine::Machine;
use super::out::json;
use super::server::ServerArgs;
use super::{Failure, examples};

/// Seal every secret of a running server with the first of its keys
///
/// The server reads its key file again before. Ends with 1 if secrets stay sealed with other keys.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi rotate-secrets" => "the server of the folder ./data",
    "artifactapi rotate-secrets --endpoint http://cache.example:8000" => "another server; its token in ARTIFACTAPI_TOKEN",
))]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, machine: &Machine) -> Result<(), Failure> {
    let rotation = args.server.client(machine)?.rotate_secrets().await;
    let rotation = rotation.map_err(|refusal| Failure::new(refusal.to_string()))?;
    json(&rotation);
    if rotation.failed > 0 {
        let what = "some secrets stay sealed with other keys: keep those, and look at the server's log";
        return Err(Failure::new(what));
    }
    Ok(())
}
