//! `failpoints`: the points at which tests kill the program. Hidden, and empty-handed in a release.

use artifactapi_store::failpoints;

use super::out::say;
use super::{Failure, examples};

/// Exit code where the command makes no sense in this program.
const UNUSABLE: u8 = 2;

/// List the points at which FAILPOINT makes this program die
#[derive(clap::Args, Clone, Copy, Debug)]
#[command(hide = true)]
#[command(after_help = examples!(
    "artifactapi failpoints" => "one line for each point",
))]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_: Args) -> Result<(), Failure> {
    if failpoints::all().is_empty() {
        let what = "this program was built without failpoints";
        return Err(Failure::with_code(what, UNUSABLE));
    }
    failpoints::all().iter().for_each(say);
    Ok(())
}
