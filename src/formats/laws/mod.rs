//! The laws that hold for every package type, as checks that any input must pass.
//!
//! Tests here drive them with generated and mutated input, the fuzz target in `tests/fuzz` with anything. An input is
//! text: a line `type METHOD role`, a line each for path, query, `Accept` and content type, then a document.

mod document;
mod request;

use artifactapi_core::Key;
use artifactapi_core::plan::{Ask, Class, Plan, Verb, Want};

use crate::{ALL, Format, Repo, named};

/// Gives the law that an input breaks, if it breaks one.
pub fn check(input: &[u8]) -> Result<(), String> {
    let case = Case::read(input);
    let Some(ask) = case.ask() else {
        return Ok(());
    };
    let plan = request::check(case.format, &ask, &case.repo)?;
    match plan {
        Some(Plan::Serve(want)) if want.class == Class::Index => {
            document::check(case.format, &want, case.media, case.document)
        }
        Some(Plan::Serve(want)) => document::made(case.format, &want, &case.repo, case.document),
        _ => Ok(()),
    }
}

/// An input taken apart; whatever it lacks has a usual value.
struct Case<'a> {
    format: &'static dyn Format,
    verb: Verb,
    repo: Repo<'static>,
    path: &'a str,
    query: &'a str,
    accept: &'a str,
    media: &'a str,
    document: &'a [u8],
}

impl<'a> Case<'a> {
    fn read(input: &'a [u8]) -> Self {
        let mut lines = input.splitn(6, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let mut text = || std::str::from_utf8(line()).unwrap_or_default();
        let mut words = text().split(' ');
        let format = words.next().and_then(named).or_else(|| ALL.first().copied());
        Self {
            format: format.unwrap_or(&crate::generic::Generic),
            verb: match words.next() {
                Some("PUT") => Verb::Put,
                Some("POST") => Verb::Post,
                Some("PATCH") => Verb::Patch,
                Some("DELETE") => Verb::Delete,
                _ => Verb::Get,
            },
            repo: Repo {
                name: "r",
                local: words.next() == Some("local"),
                index: None,
            },
            path: text(),
            query: text(),
            accept: text(),
            media: text(),
            document: line(),
        }
    }

    /// The request, if its path passes the check that stands before every format.
    fn ask(&self) -> Option<Ask> {
        Some(Ask {
            verb: self.verb,
            key: Key::decode(self.path).ok()?,
            query: self.query.to_owned(),
            headers: [("accept", self.accept)].into_iter().collect(),
        })
    }
}

/// `Ok` if a law holds, else its name with what broke it.
fn holds(law: bool, name: &str, witness: impl std::fmt::Debug) -> Result<(), String> {
    if law {
        Ok(())
    } else {
        Err(format!("{name}: {witness:?}"))
    }
}

/// What a GET of a want's own key would ask, with the header fields of an earlier request.
fn same_again(want: &Want, before: &Ask) -> Option<Ask> {
    Some(Ask {
        verb: Verb::Get,
        key: Key::decode(&want.key.encode()).ok()?,
        query: want.key.query().to_owned(),
        headers: before.headers.clone(),
    })
}

#[cfg(test)]
mod tests;
