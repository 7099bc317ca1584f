//! `/api/v2/remotes` and `/api/v2/locals`: the same endpoints over two kinds of settings.

mod create;
mod delete;
mod patch;
mod read;
mod replace;

#[cfg(test)]
mod tests;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use artifactapi_api::repository::{Document, Settings};
use artifactapi_engine::admin::etag;
use serde::Deserialize;

pub(crate) use create::handle as create;
pub(crate) use delete::handle as delete;
pub(crate) use patch::handle as patch;
pub(crate) use read::{get, list};
pub(crate) use replace::handle as replace;

/// The query of a change.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeQuery {
    /// Whether what is cached stays although its upstream changes.
    #[serde(default)]
    keep_objects: bool,
}

/// A document with its entity tag.
fn shown<S: Settings>(status: StatusCode, document: &Document<S>) -> HttpResponse {
    respond(&mut HttpResponse::build(status), document)
}

fn respond<S: Settings>(builder: &mut HttpResponseBuilder, document: &Document<S>) -> HttpResponse {
    builder
        .insert_header((header::ETAG, etag(document.revision)))
        .json(document)
}
