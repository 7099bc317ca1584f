//! Laws of `route` and `order`.

use artifactapi_core::plan::{Ask, At, Class, Integrity, Plan, Verb, Want};
use artifactapi_core::{Headers, Key};
use url::Url;

use super::{holds, same_again};
use crate::{Format, Repo};

/// Checks what a request means; gives the plan if there is one.
pub(super) fn check(format: &dyn Format, ask: &Ask, repo: &Repo<'_>) -> Result<Option<Plan>, String> {
    let plan = match format.route(ask, repo) {
        Ok(plan) => plan,
        Err(fault) => {
            holds(
                fault.kind.status() < 500,
                "a refusal is the client's doing",
                fault,
            )?;
            return Ok(None);
        }
    };
    match &plan {
        Plan::Answer(reply) => holds(
            (200..600).contains(&reply.status),
            "an answer has a status",
            reply,
        )?,
        Plan::Redirect(to) => redirect(format, ask, repo, to)?,
        Plan::Serve(found) => {
            holds(ask.verb == Verb::Get, "only a GET serves", ask)?;
            want(format, found, ask, repo)?;
        }
        Plan::Publish(publish) => {
            holds(
                repo.local && ask.verb == Verb::Put,
                "only a local is written to",
                ask,
            )?;
            want(format, &publish.want, ask, repo)?;
        }
        Plan::Delete(found) => {
            holds(repo.local, "only a local is written to", ask)?;
            want(format, found, ask, repo)?;
        }
    }
    Ok(Some(plan))
}

/// A redirect stays in its repository and leads to no further one.
fn redirect(format: &dyn Format, ask: &Ask, repo: &Repo<'_>, to: &str) -> Result<(), String> {
    holds(
        to.bytes().all(|b| b.is_ascii_graphic()),
        "a redirect is plain ASCII",
        to,
    )?;
    let here = Url::parse(&format!("http://h.example/r/{}", ask.key.encode()));
    let there = here
        .and_then(|here| here.join(to))
        .map_err(|_| format!("a redirect resolves: {to}"))?;
    let path = there
        .as_str()
        .strip_prefix("http://h.example/r/")
        .ok_or_else(|| format!("a redirect stays in its repository: {to}"))?;
    let again = Ask {
        key: Key::decode(path).map_err(|_| format!("a redirect leads to a key: {to}"))?,
        ..ask.clone()
    };
    let further = matches!(format.route(&again, repo), Ok(Plan::Redirect(_)));
    holds(!further, "a redirect leads to no further one", to)
}

fn want(format: &dyn Format, found: &Want, ask: &Ask, repo: &Repo<'_>) -> Result<(), String> {
    let key = found.key.as_str();
    holds(
        Key::new(key).is_ok_and(|safe| safe == found.key),
        "a key is safe",
        key,
    )?;
    if names_digest(&found.key) {
        let immutable = matches!(found.class, Class::Immutable(_));
        holds(immutable, "what carries a digest in its name is immutable", key)?;
    }
    order(format, found, repo)?;
    if ask.verb == Verb::Get {
        same(format, found, ask, repo)?;
    }
    let Class::Immutable(Integrity::Told { owner, id }) = &found.class else {
        return Ok(());
    };
    holds(
        !id.is_empty() && owner.class == Class::Index,
        "an index tells of a file",
        found,
    )?;
    let plain = Ask {
        verb: Verb::Get,
        headers: Headers::new(),
        ..ask.clone()
    };
    same(format, owner, &plain, repo)
}

/// Any replica can ask for a want again by its key.
fn same(format: &dyn Format, found: &Want, ask: &Ask, repo: &Repo<'_>) -> Result<(), String> {
    let again = same_again(found, ask).and_then(|ask| format.route(&ask, repo).ok());
    let same = matches!(&again, Some(Plan::Serve(again)) if again == found);
    holds(same, "a want's key leads to the same want", (found, again))
}

fn order(format: &dyn Format, found: &Want, repo: &Repo<'_>) -> Result<(), String> {
    let order = format.order(found, repo);
    let told = matches!(found.class, Class::Immutable(Integrity::Told { .. }));
    holds(
        told == (order.at == At::Fact),
        "what is told of is fetched where the fact says",
        &order,
    )?;
    let path = match &order.at {
        At::Base(path) | At::Index(path) => path.as_str(),
        At::Fact => "",
    };
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    let encoded = plain(path) && !path.contains('?') && !path.starts_with('/');
    holds(encoded, "a path upstream is encoded and relative", &order)?;
    holds(plain(&order.query), "a query upstream is encoded", &order)
}

/// Whether a file's name carries a SHA-256.
fn names_digest(key: &Key) -> bool {
    let is_hex = |window: &[u8]| window.iter().all(u8::is_ascii_hexdigit);
    !key.path().ends_with('/') && key.file_name().as_bytes().windows(64).any(is_hex)
}
