//! The command line: reads what is wanted, calls the library, says what came of it. Nothing here decides about packages.

mod adopt;
mod check;
mod failpoints;
mod fsck;
mod gc;
mod health;
mod logging;
mod machine;
mod migrate;
mod out;
mod rotate;
mod serve;
mod server;
mod settings;
mod types;

use std::process::ExitCode;

use artifactapi_core::Fault;
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use self::machine::Machine;
use self::out::remark;

/// The examples at the end of a command's help: each a line and what it does.
macro_rules! examples {
    ($($line:literal => $what:literal),+ $(,)?) => {
        concat!("Examples:", $("\n  ", $line, "\n      ", $what),+)
    };
}
use examples;

/// Why a command ended without success: a sentence for people, a code for programs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    code: u8,
}

impl Failure {
    /// It was found wrong, or could not be done.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            code: 1,
        }
    }

    /// The same with an exit code of its own.
    pub(crate) fn with_code(what: impl Into<String>, code: u8) -> Self {
        Self {
            what: what.into(),
            code,
        }
    }
}

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Self::new(what)
    }
}

impl From<Fault> for Failure {
    /// The command line is the operator's: the cause is shown, too.
    fn from(fault: Fault) -> Self {
        let cause = fault
            .cause
            .as_ref()
            .map(|cause| format!(": {cause}"))
            .unwrap_or_default();
        Self::new(format!("{}{cause}", fault.what))
    }
}

/// One program that proxies, caches and hosts packages
#[derive(Parser, Debug)]
#[command(
    name = "artifactapi",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
#[command(after_help = examples!(
    "artifactapi serve" => "serve on all interfaces, port 8000, with the folder ./data",
    "artifactapi adopt --apply" => "route this machine's pip and uv through it",
    "artifactapi fsck --data-dir /var/lib/artifactapi" => "check what is stored",
))]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Serve(serve::Args),
    Adopt(adopt::Args),
    Migrate(migrate::Args),
    CheckConfig(check::Args),
    Fsck(fsck::Args),
    Gc(gc::Args),
    Health(health::Args),
    RotateSecrets(rotate::Args),
    Types(types::Args),
    Failpoints(failpoints::Args),
    /// Print completions for a shell
    #[command(after_help = examples!(
        "artifactapi completions bash > /etc/bash_completion.d/artifactapi" => "complete in every bash",
    ))]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Runs what the arguments say; gives the exit code of the process.
pub(crate) fn run() -> ExitCode {
    let machine = Machine::real();
    let done = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args, &machine),
        Command::Adopt(args) => waiting(adopt::run(args, &machine)),
        Command::Migrate(args) => waiting(migrate::run(&args, &machine)),
        Command::CheckConfig(args) => check::run(&args, &machine),
        Command::Fsck(args) => waiting(fsck::run(&args, &machine)),
        Command::Gc(args) => waiting(gc::run(&args, &machine)),
        Command::Health(args) => waiting(health::run(&args, &machine)),
        Command::RotateSecrets(args) => waiting(rotate::run(&args, &machine)),
        Command::Types(args) => {
            types::run(args);
            Ok(())
        }
        Command::Failpoints(args) => failpoints::run(args),
        Command::Completions { shell } => {
            completions(shell);
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            remark(format!("artifactapi: {}", failure.what));
            ExitCode::from(failure.code)
        }
    }
}

/// Carries out a command that waits for something.
fn waiting(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    actix_rt::System::new().block_on(command)
}

fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "artifactapi", &mut script);
    out::say(String::from_utf8_lossy(&script).trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples_that_it_understands() {
        for command in Cli::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            let examples: Vec<_> = help
                .lines()
                .filter_map(|line| line.strip_prefix("  artifactapi "))
                .collect();
            assert!(!examples.is_empty(), "{} has no example", command.get_name());
            for example in examples {
                let words = example.split('>').next().unwrap().split_whitespace();
                let read = Cli::try_parse_from(std::iter::once("artifactapi").chain(words));
                assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
            }
        }
    }

    #[test]
    fn completions_name_the_commands() {
        let mut script = Vec::new();
        clap_complete::generate(Shell::Bash, &mut Cli::command(), "artifactapi", &mut script);
        let script = String::from_utf8(script).unwrap();
        assert!(script.contains("check-config") && script.contains("adopt"));
    }
}
