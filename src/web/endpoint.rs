//! Endpoints: a path, a handler per method, and honest answers to every other method.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};
use artifactapi_core::fault::Kind;

use crate::middleware::Dialect;
use crate::problem::ApiError;

/// A path whose methods are being named.
pub(crate) struct Endpoint {
    resource: Resource,
    allow: Vec<&'static str>,
}

/// Begins an endpoint at a path.
pub(crate) fn at(path: &str) -> Endpoint {
    Endpoint {
        resource: web::resource(path),
        allow: Vec::new(),
    }
}

impl Endpoint {
    /// Answers GET, and HEAD like it.
    pub(crate) fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::HEAD, "HEAD", handler.clone())
            .on(Method::GET, "GET", handler)
    }

    /// Answers POST.
    pub(crate) fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, "POST", handler)
    }

    /// Answers PUT.
    pub(crate) fn put<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PUT, "PUT", handler)
    }

    /// Answers PATCH.
    pub(crate) fn patch<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::PATCH, "PATCH", handler)
    }

    /// Answers DELETE.
    pub(crate) fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::DELETE, "DELETE", handler)
    }

    /// The resource: OPTIONS names the methods, and others are refused with their names (RFC 9110 §15.5.6).
    pub(crate) fn done(mut self) -> Resource {
        self.allow.push("OPTIONS");
        let allow = self.allow.join(", ");
        self.resource
            .default_service(web::to(move |request: HttpRequest| {
                let answer = other(&request, &allow);
                async move { answer }
            }))
    }

    fn on<F, Args>(mut self, method: Method, name: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::method(method).to(handler));
        self.allow.push(name);
        self
    }
}

fn other(request: &HttpRequest, allow: &str) -> HttpResponse {
    let mut response = if request.method() == Method::OPTIONS {
        HttpResponse::NoContent().finish()
    } else {
        let error = ApiError::new(Kind::MethodNotAllowed, format!("this path takes {allow}"));
        Dialect::of(request.path()).error(&error)
    };
    if let Ok(value) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(header::ALLOW, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};

    use super::*;

    #[actix_web::test]
    async fn every_method_has_an_honest_answer() {
        let handler = || async { "here" };
        let app = test::init_service(App::new().service(at("/x").get(handler).delete(handler).done())).await;
        for (method, status) in [
            ("GET", 200),
            ("HEAD", 200),
            ("DELETE", 200),
            ("OPTIONS", 204),
            ("PUT", 405),
            ("POST", 405),
            ("BREW", 405),
        ] {
            let request = test::TestRequest::with_uri("/x").method(method.parse().unwrap());
            let response = test::call_service(&app, request.to_request()).await;
            assert_eq!(response.status(), status, "{method}");
            if status != 200 {
                let allow = response.headers().get("allow").unwrap();
                assert_eq!(allow, "HEAD, GET, DELETE, OPTIONS");
            }
        }
    }
}
