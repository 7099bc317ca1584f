//! Every route on one page, grouped by who calls.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_core::fault::Kind;
use artifactapi_core::repository::{LocalSettings, RemoteSettings};
use artifactapi_engine::admin::Stored;

use crate::admin::{collection, events, health, metrics, objects, probe, repositories, secrets, stats};
use crate::endpoint::at;
use crate::middleware::Dialect;
use crate::problem::ApiError;
use crate::proxy;

/// The table of contents of the program.
pub(crate) fn configure(config: &mut ServiceConfig) {
    // Package clients: first, because resources are matched in order and these are the hot ones.
    proxy::configure(config);

    // Orchestrators and monitoring.
    config
        .service(at("/api/v2/health/live").get(health::live).done())
        .service(at("/api/v2/health/ready").get(health::ready).done())
        .service(at("/api/v2/health").get(health::full).done())
        .service(at("/metrics").get(metrics::handle).done());

    // Administrators: repositories and what they hold.
    repositories::<RemoteSettings>(config, "/api/v2/remotes");
    repositories::<LocalSettings>(config, "/api/v2/locals");

    // Administrators: the program.
    config
        .service(at("/api/v2/stats").get(stats::handle).done())
        .service(at("/api/v2/probe").post(probe::handle).done())
        .service(at("/api/v2/secrets/rotate").post(secrets::rotate).done())
        .service(at("/api/v2/events").get(events::handle).done())
        .service(
            at("/api/v2/gc")
                .get(collection::last)
                .post(collection::run)
                .done(),
        );

    // Tests.
    #[cfg(feature = "failpoints")]
    config.service(
        at("/api/v2/failpoints/crash")
            .post(crate::admin::failpoints::crash)
            .done(),
    );

    // Everyone else.
    config.default_service(web::to(nothing));
}

/// The endpoints of one kind of repository.
fn repositories<S: Stored>(config: &mut ServiceConfig, root: &str) {
    let all = at(root)
        .get(repositories::list::<S>)
        .post(repositories::create::<S>);
    let one = at(&format!("{root}/{{name}}"))
        .get(repositories::get::<S>)
        .put(repositories::replace::<S>)
        .patch(repositories::patch::<S>)
        .delete(repositories::delete::<S>);
    let objects = at(&format!("{root}/{{name}}/objects"))
        .get(objects::list::<S>)
        .delete(objects::evict::<S>);
    config
        .service(all.done())
        .service(one.done())
        .service(objects.done());
}

async fn nothing(request: HttpRequest) -> HttpResponse {
    let error = ApiError::new(Kind::NotFound, "there is nothing at this path");
    Dialect::of(request.path()).error(&error)
}
