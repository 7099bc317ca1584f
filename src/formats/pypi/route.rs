//! What a path of the simple API means.

use artifactapi_core::fault::Kind;
use artifactapi_core::key::encode_path;
use artifactapi_core::plan::{Ask, Class, Integrity, Plan, Subject, Verb, Want};
use artifactapi_core::{Fault, Key};

use super::names;
use super::negotiate::Show;
use crate::kit::media;

/// The list of all projects.
pub(super) const ROOT: &str = "simple/";

/// What a request means.
pub(super) fn route(ask: &Ask) -> Result<Plan, Fault> {
    if ask.verb != Verb::Get {
        return Err(Fault::client(
            Kind::MethodNotAllowed,
            "this repository takes no writes",
        ));
    }
    let slash = ask.key.path().ends_with('/');
    let segments: Vec<&str> = ask.key.segments().collect();
    match (segments.as_slice(), slash) {
        (["simple"], true) => root(Show::accepted(&ask.headers)).map(Plan::Serve),
        (["simple"], false) => Ok(Plan::Redirect(ROOT.to_owned())),
        (["simple", name], _) => {
            let normal = names::normalised(name).ok_or_else(nothing)?;
            match (normal == *name, slash) {
                (true, true) => page(&normal, Show::accepted(&ask.headers)).map(Plan::Serve),
                (_, true) => Ok(Plan::Redirect(format!("../{normal}/"))),
                (_, false) => Ok(Plan::Redirect(format!("{normal}/"))),
            }
        }
        (["packages", name, file], false) if names::is_safe_file(file) => {
            let normal = names::normalised(name).ok_or_else(nothing)?;
            if normal == *name {
                artifact(&normal, file).map(Plan::Serve)
            } else {
                Ok(Plan::Redirect(format!("../{normal}/{}", encode_path(file))))
            }
        }
        _ => Err(nothing()),
    }
}

fn root(show: Show) -> Result<Want, Fault> {
    let mut want = Want::new(Key::new(ROOT)?, Class::Index);
    want.show = show.variant();
    want.service = true;
    Ok(want)
}

/// The page of a project of this normalised name.
fn page(project: &str, show: Show) -> Result<Want, Fault> {
    let mut want = Want::new(Key::new(format!("{ROOT}{project}/"))?, Class::Index);
    want.show = show.variant();
    want.subject.package = Some(project.to_owned());
    Ok(want)
}

/// A distribution or a sidecar: wherever the project's page says it is.
pub(super) fn artifact(project: &str, file: &str) -> Result<Want, Fault> {
    let told = Integrity::Told {
        owner: Box::new(page(project, Show::Text)?),
        id: file.to_owned(),
    };
    let key = Key::new(format!("packages/{project}/{file}"))?;
    let mut want = Want::new(key, Class::Immutable(told));
    want.media = Some(media::by_name(file));
    want.subject = Subject {
        package: Some(project.to_owned()),
        version: Some(names::distribution(file).to_owned()),
    };
    Ok(want)
}

/// The project whose page a key names; `None` for the list of projects.
pub(super) fn project(key: &Key) -> Option<&str> {
    key.path().strip_prefix(ROOT)?.strip_suffix('/')
}

fn nothing() -> Fault {
    Fault::not_found("no such path in the simple API")
}
