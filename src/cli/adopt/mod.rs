//! `adopt`: the clients of this machine say which index they use; a remote is made for it, and they are routed through.
//!
//! No host of an index stands in this program. Credentials that stood in a client's URL go into the remote and are
//! never printed.

mod edit;
mod index;
mod ini;
mod pip;
mod uv;

use std::path::Path;

use artifactapi_api::client::{Client, Failure as Refusal};
use artifactapi_api::repository::Draft;
use artifactapi_core::repository::RemoteSettings;
use url::Url;

use self::edit::{Edit, Record};
use self::index::Index;
use self::pip::Pip;
use self::uv::Uv;
use super::machine::Machine;
use super::out::{remark, say};
use super::server::ServerArgs;
use super::{Failure, examples};

/// The most that a private authority's certificates may have; the system's own bundle is trusted anyway.
const MAX_CERTIFICATES: u64 = 64 * 1024;

/// Routes this machine's own pip and uv through a running server
///
/// Asks pip and uv which index they use, creates a remote for it, and prints the lines that route them through it.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi adopt" => "create the remote and print what to set",
    "artifactapi adopt --apply" => "set it, and keep a record of what was there before",
    "artifactapi adopt --undo" => "restore what was there before",
    "artifactapi adopt --name python --endpoint http://cache.example:8000" => "another name, another server",
))]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    /// Name of the remote
    #[arg(long, default_value = "pypi", value_parser = name)]
    name: String,

    /// Change the configuration of pip and uv
    #[arg(long, conflicts_with = "undo")]
    apply: bool,

    /// Restore the configuration of pip and uv; the remote stays
    #[arg(long)]
    undo: bool,
}

fn name(text: &str) -> Result<String, String> {
    let valid = artifactapi_core::repository::valid_name(text);
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| "lower case letters, digits, and . _ - inside".to_owned())
}

/// Runs the command.
pub(crate) async fn run(args: Args, machine: &Machine) -> Result<(), Failure> {
    if args.undo {
        return undo(machine);
    }
    let (pip, uv) = (Pip::ask(machine), Uv::ask(machine));
    if pip.is_none() && uv.is_none() {
        return Err(Failure::new(
            "neither pip nor uv answers on this machine: nothing to adopt",
        ));
    }
    let adoption = Adoption {
        endpoint: args.server.endpoint(machine)?,
        client: args.server.client(machine)?,
        record: Record::load(machine)?,
        machine,
    };
    let edits = adoption.clients(&args.name, pip.as_ref(), uv.as_ref()).await?;
    if args.apply {
        return adoption.apply(edits);
    }
    if !edits.is_empty() {
        say("or let it be done, in a way that can be undone: artifactapi adopt --apply");
    }
    Ok(())
}

/// Everything that stays the same while clients are adopted.
struct Adoption<'m> {
    endpoint: Url,
    client: Client,
    record: Record,
    machine: &'m Machine,
}

impl Adoption<'_> {
    /// Makes the remotes and tells how the clients are routed through them; gives the changes that would do it.
    /// Clients of the same index share a remote.
    async fn clients(&self, name: &str, pip: Option<&Pip>, uv: Option<&Uv>) -> Result<Vec<Edit>, Failure> {
        let mut edits = Vec::new();
        let mut known: Option<(&Index, Url)> = None;
        if let Some(pip) = pip
            && let Some(url) = self.remote(name, &pip.index, Some(pip)).await?
        {
            show("pip", &pip.lines(&url));
            warn_of_further(pip);
            edits.push(pip.edit(self.machine, &url)?);
            known = Some((&pip.index, url));
        }
        if let Some(uv) = uv {
            let url = match &known {
                Some((index, url)) if index.same_as(&uv.index) => Some(url.clone()),
                Some(_) => self.remote(&format!("{name}-uv"), &uv.index, pip).await?,
                None => self.remote(name, &uv.index, pip).await?,
            };
            if let Some(url) = url {
                show("uv", &Uv::lines(&url));
                edits.push(Uv::edit(self.machine, &url)?);
            }
        }
        Ok(edits)
    }

    /// Makes the remote of an index, unless it is there already; gives the URL for the client.
    /// `None` if the client is routed here already.
    async fn remote(&self, name: &str, index: &Index, pip: Option<&Pip>) -> Result<Option<Url>, Failure> {
        say(format!("{}: {}", index.told_by, index.url));
        if index.is_at(&self.endpoint) || self.record.wrote(index.url.as_str()) {
            say("  routed through a cache already; artifactapi adopt --undo ends that");
            return Ok(None);
        }
        let settings = settings(index, pip)?;
        let draft = Draft {
            name: name.to_owned(),
            package_type: "pypi".to_owned(),
            settings,
        };
        match self.client.create(&draft).await {
            Ok(_) => say(format!("  remote {name} created")),
            Err(Refusal::Refused(problem)) if problem.status == 409 => self.same(&draft).await?,
            Err(refusal) => return Err(Failure::new(format!("the remote was not created: {refusal}"))),
        }
        let path = format!("api/v1/remote/{name}/simple/");
        self.endpoint
            .join(&path)
            .map(Some)
            .map_err(|error| Failure::new(error.to_string()))
    }

    /// The name is taken: by a remote of the same index, or it is an error.
    async fn same(&self, draft: &Draft<RemoteSettings>) -> Result<(), Failure> {
        let name = &draft.name;
        let taken = || {
            Failure::new(format!(
                "{name} exists and proxies something else: choose another --name"
            ))
        };
        let there = self
            .client
            .get::<RemoteSettings>(name)
            .await
            .map_err(|_| taken())?
            .draft;
        let place =
            |draft: &Draft<RemoteSettings>| draft.settings.base_url.as_str().trim_end_matches('/').to_owned();
        if there.package_type != draft.package_type || place(&there) != place(draft) {
            return Err(taken());
        }
        say(format!("  remote {name} exists"));
        Ok(())
    }

    /// Performs the changes, then asks the clients again: something stronger than their files may still win.
    fn apply(mut self, edits: Vec<Edit>) -> Result<(), Failure> {
        for edit in &edits {
            say(format!("changing {}", edit.path.display()));
        }
        self.record.apply(self.machine, edits)?;
        say("restore with: artifactapi adopt --undo");
        let indexes = [
            Pip::ask(self.machine).map(|pip| pip.index),
            Uv::ask(self.machine).map(|uv| uv.index),
        ];
        for index in indexes
            .into_iter()
            .flatten()
            .filter(|index| !index.is_at(&self.endpoint))
        {
            remark(format!(
                "still in force: {}, which wins over the file",
                index.told_by
            ));
        }
        Ok(())
    }
}

fn undo(machine: &Machine) -> Result<(), Failure> {
    let restored = Record::load(machine)?.undo(machine)?;
    if restored.is_empty() {
        say("nothing to restore");
    }
    for path in restored {
        say(format!("restored {}", path.display()));
    }
    Ok(())
}

/// The settings of the remote that stands for an index, with what pip needs to reach it.
fn settings(index: &Index, pip: Option<&Pip>) -> Result<RemoteSettings, Failure> {
    let mut settings = RemoteSettings::new(index.url.clone());
    settings.description = format!("adopted from {}", index.told_by);
    settings.username.clone_from(&index.username);
    settings.password.clone_from(&index.password);
    settings.egress_proxy = pip.and_then(Pip::proxy);
    if let Some(path) = pip.and_then(Pip::certificates) {
        settings.ca_bundle = certificates(&path)?;
    }
    Ok(settings)
}

/// A private authority's certificates. Larger bundles are a system's own, which is trusted anyway.
fn certificates(path: &Path) -> Result<Option<String>, Failure> {
    let unread = |error| Failure::new(format!("{}: {error}", path.display()));
    if std::fs::metadata(path).map_err(unread)?.len() > MAX_CERTIFICATES {
        return Ok(None);
    }
    std::fs::read_to_string(path).map(Some).map_err(unread)
}

fn show(client: &str, lines: &[String]) {
    say(format!("  to route {client} through it:"));
    for line in lines {
        say(format!("    {line}"));
    }
}

fn warn_of_further(pip: &Pip) {
    let further = pip.further();
    if further > 0 {
        remark(format!(
            "pip asks {further} further index(es) besides (extra-index-url); they stay as they are"
        ));
    }
}

#[cfg(test)]
mod tests;
