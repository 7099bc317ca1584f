//! The repositories as clients see them. Handlers translate; what an answer is, the engine decides.

pub(crate) mod body;
mod handler;
mod reply;

use actix_web::web;

pub(crate) use self::handler::{PREFIX, is_plain};

/// Routes of package clients. Registered first: resources are matched in order, and these are the hot ones.
pub(crate) fn configure(config: &mut web::ServiceConfig) {
    config.service(
        web::resource(["/api/v1/remote/{name}/{path:.*}", "/api/v1/remote/{name}"]).to(handler::handle),
    );
}
