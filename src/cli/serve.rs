//! `serve`: runs the program until it is told to stop.

use std::io::IsTerminal;
use std::time::Duration;

use artifactapi::App;
use artifactapi_core::config::{Config, LogFormat};
use artifactapi_web::access::Made;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::logging::{self, Form};
use super::machine::Machine;
use super::out::say;
use super::settings::Layers;
use super::{Failure, examples};

/// Exit code where the program cannot go on: `EX_SOFTWARE` of sysexits.
const BROKEN: u8 = 70;
/// Exit code after a second signal, as shells give it for an interrupted program.
const INTERRUPTED: i32 = 130;

/// Serve packages
///
/// Prints where it listens and leaves the same in the file `address` of the data folder. The first SIGTERM or SIGINT ends
/// it gracefully and in bounded time, the second at once.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi serve" => "all interfaces, port 8000, folder ./data",
    "artifactapi serve --listen 127.0.0.1:0 --data-dir /var/lib/artifactapi" => "a free port of this machine alone",
    "artifactapi serve --config config/artifactapi.toml --set log.format=json" => "settings from a file, and one on top",
))]
pub(crate) struct Args {
    /// Address and port; without an address (`:8000`) on all interfaces, port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,

    #[command(flatten)]
    layers: Layers,
}

/// Runs the command.
pub(crate) fn run(args: &Args, machine: &Machine) -> Result<(), Failure> {
    let layers = args.layers.clone().with("server.listen", args.listen.clone());
    let config = layers.load(machine)?.config;
    let form = match config.log.format {
        LogFormat::Line => Form::Line,
        LogFormat::Json => Form::Json,
    };
    logging::start(config.log.level.as_str(), form);
    actix_rt::System::new().block_on(served(config))
}

async fn served(config: Config) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let limit = Duration::from_secs(config.server.stop_seconds);
    let app = App::start(config).await?;
    app.urls()
        .iter()
        .for_each(|url| say(format!("listening on {url}")));
    app.made().into_iter().for_each(tell);
    let name = tokio::select! {
        name = signals.next() => name,
        () = app.ended() => return Err(Failure::with_code("the server ended by itself", BROKEN)),
    };
    log::info!("{name}: stopping; a second signal ends at once");
    tokio::select! {
        () = app.stop(limit) => Ok(()),
        name = signals.next() => {
            log::warn!("{name} again: ending at once");
            std::process::exit(INTERRUPTED)
        }
    }
}

/// The admin token is shown to a person at a terminal and to no log; everyone else is told where it lies.
fn tell(made: &Made) {
    say(format!("an admin token was made: {}", made.file.display()));
    if std::io::stdout().is_terminal() {
        say(format!("  {}", made.token.0));
    }
}

/// The signals that end the program.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::new(format!("no signals: {error}")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
