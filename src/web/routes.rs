//! Every route on one page, grouped by who calls.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use artifactapi_core::fault::Kind;
use artifactapi_core::repository::{LocalSettings, RemoteSettings};

use crate::admin::{collection, events, health, metrics, objects, probe, repositories, stats};
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
    config
        .service(
            at("/api/v2/remotes")
                .get(repositories::list::<RemoteSettings>)
                .post(repositories::create::<RemoteSettings>)
                .done(),
        )
        .service(
            at("/api/v2/remotes/{name}")
                .get(repositories::get::<RemoteSettings>)
                .put(repositories::replace::<RemoteSettings>)
                .patch(repositories::patch::<RemoteSettings>)
                .delete(repositories::delete::<RemoteSettings>)
                .done(),
        )
        .service(
            at("/api/v2/remotes/{name}/objects")
                .get(objects::list::<RemoteSettings>)
                .delete(objects::evict::<RemoteSettings>)
                .done(),
        )
        .service(
            at("/api/v2/locals")
                .get(repositories::list::<LocalSettings>)
                .post(repositories::create::<LocalSettings>)
                .done(),
        )
        .service(
            at("/api/v2/locals/{name}")
                .get(repositories::get::<LocalSettings>)
                .put(repositories::replace::<LocalSettings>)
                .patch(repositories::patch::<LocalSettings>)
                .delete(repositories::delete::<LocalSettings>)
                .done(),
        )
        .service(
            at("/api/v2/locals/{name}/objects")
                .get(objects::list::<LocalSettings>)
                .delete(objects::evict::<LocalSettings>)
                .done(),
        );

    // Administrators: the program.
    config
        .service(at("/api/v2/stats").get(stats::handle).done())
        .service(at("/api/v2/probe").post(probe::handle).done())
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

async fn nothing(request: HttpRequest) -> HttpResponse {
    let error = ApiError::new(Kind::NotFound, "there is nothing at this path");
    Dialect::of(request.path()).error(&error)
}
