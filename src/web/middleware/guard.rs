//! The guard round every handler: refuses targets that belong to a forward proxy, turns a panic into an answer, and
//! sets the fields that keep browsers from running what repositories hold.

use std::panic::AssertUnwindSafe;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, Version};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError as _};
use artifactapi_core::fault::Kind;
use futures_util::FutureExt as _;

use crate::problem::ApiError;
use crate::traffic::{Traffic, Watched};

/// What a page from a repository may do in a browser: nothing.
const SANDBOX: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:";

/// Passes a request on, and its answer back.
pub(crate) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let dialect = Dialect::of(request.path());
    if let Some(refusal) = refuse(&request) {
        return Ok(request.into_response(dialect.error(&refusal)));
    }
    let busy = request.conn_data::<Traffic>().map(Traffic::begin);
    let Ok(answered) = AssertUnwindSafe(next.call(request)).catch_unwind().await else {
        // The panic itself has been reported by the hook, with its place.
        log::error!("a request handler panicked");
        let error = ApiError::new(Kind::Internal, "the request met a defect of the server");
        return Err(InternalError::from_response("panic", dialect.error(&error)).into());
    };
    let mut response = answered?.map_into_boxed_body();
    secure(response.headers_mut(), dialect);
    Ok(match busy {
        Some(busy) => response.map_body(|_, body| BoxBody::new(Watched { body, _busy: busy })),
        None => response,
    })
}

/// Whose words an error is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Package clients: one line of text.
    Plain,
    /// The admin API, and everything else: a problem document.
    Problem,
}

impl Dialect {
    /// The dialect of a path.
    pub(crate) fn of(path: &str) -> Self {
        if path.starts_with("/api/v1/") {
            Self::Plain
        } else {
            Self::Problem
        }
    }

    /// An error as a response.
    pub(crate) fn error(self, error: &ApiError) -> HttpResponse {
        let response = error.error_response();
        match self {
            Self::Problem => response,
            Self::Plain => {
                let mut response = response.set_body(BoxBody::new(format!("{error}\n")));
                let text = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(header::CONTENT_TYPE, text);
                response
            }
        }
    }
}

/// Why a request is refused whatever its path: methods and targets (RFC 9112 §3.2) that only a forward proxy takes.
fn refuse(request: &ServiceRequest) -> Option<ApiError> {
    if [Method::CONNECT, Method::TRACE].contains(request.method()) {
        return Some(ApiError::new(Kind::MethodNotAllowed, "this method is not served"));
    }
    let uri = request.uri();
    // HTTP/2 carries the authority in a field of its own, from which the target is put together.
    let absolute = uri.authority().is_some() && request.version() < Version::HTTP_2;
    if absolute || !uri.path().starts_with('/') {
        return Some(ApiError::new(
            Kind::BadRequest,
            "the request target must be a path",
        ));
    }
    None
}

fn secure(headers: &mut HeaderMap, dialect: Dialect) {
    if dialect == Dialect::Problem && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let active = media.is_some_and(|media| {
        let media = media.to_ascii_lowercase();
        [
            "text/html",
            "application/xhtml",
            "image/svg",
            "text/xml",
            "application/xml",
        ]
        .iter()
        .any(|kind| media.starts_with(kind))
    });
    if active && dialect == Dialect::Plain {
        let name: HeaderName = header::CONTENT_SECURITY_POLICY;
        headers.insert(name, HeaderValue::from_static(SANDBOX));
    }
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, http::StatusCode, test, web};

    use super::*;

    async fn broken() -> HttpResponse {
        panic!("on purpose")
    }

    async fn answer(method: &str, target: &str) -> (StatusCode, HeaderMap, String) {
        let page = || async { HttpResponse::Ok().content_type("text/html").body("<p>") };
        let app = test::init_service(
            App::new()
                .wrap(from_fn(guard))
                .route("/api/v1/broken", web::get().to(broken))
                .route("/api/v2/broken", web::get().to(broken))
                .route("/api/v1/page", web::get().to(page))
                .route("/page", web::get().to(page)),
        )
        .await;
        let request = test::TestRequest::with_uri(target).method(method.parse().unwrap());
        let response = match test::try_call_service(&app, request.to_request()).await {
            Ok(response) => response.map_into_boxed_body().into_parts().1,
            Err(error) => error.error_response(),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn a_panic_is_answered_in_the_dialect_of_the_path() {
        let (status, headers, body) = answer("GET", "/api/v2/broken").await;
        assert_eq!(status, 500);
        assert_eq!(headers.get("content-type").unwrap(), "application/problem+json");
        assert!(
            body.contains(r#""code":"internal""#) && !body.contains("purpose"),
            "{body}"
        );
        let (status, headers, body) = answer("GET", "/api/v1/broken").await;
        assert_eq!(status, 500);
        assert!(
            headers
                .get("content-type")
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("text/plain")
        );
        assert_eq!(body, "the request met a defect of the server\n");
    }

    #[actix_web::test]
    async fn targets_and_methods_of_a_forward_proxy_are_refused() {
        for (method, target, status) in [
            ("CONNECT", "/page", 405),
            ("TRACE", "/page", 405),
            ("GET", "http://other.example/page", 400),
            ("OPTIONS", "*", 400),
            ("GET", "/page", 200),
        ] {
            assert_eq!(answer(method, target).await.0, status, "{method} {target}");
        }
    }

    #[actix_web::test]
    async fn pages_of_repositories_are_sandboxed_and_our_own_are_not() {
        let (_, headers, _) = answer("GET", "/api/v1/page").await;
        assert!(
            headers
                .get("content-security-policy")
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("sandbox")
        );
        assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff");
        let (_, headers, _) = answer("GET", "/page").await;
        assert!(headers.get("content-security-policy").is_none());
        assert_eq!(headers.get("cache-control").unwrap(), "no-store");
    }
}
