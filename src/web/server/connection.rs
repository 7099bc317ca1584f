//! Connections: one HTTP service per worker and listener, with its deadlines.

use std::time::Duration;

use actix_http::body::BoxBody;
use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Request, TlsAcceptorConfig};
use actix_server::GracefulShutdownSignal;
use actix_service::{IntoServiceFactory as _, Service, ServiceFactory, ServiceFactoryExt as _, map_config};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{AppConfig, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, HttpResponse};
use artifactapi_core::config::Config;
use rustls::ServerConfig;

use super::{expect, listen};
use crate::state::State;
use crate::{middleware, routes};

/// Bytes that may wait for a client's socket: fewer, larger writes than with the default of 32 KiB.
const WRITE_BUFFER: usize = 256 << 10;
/// How long a connection that was answered early may take to close.
const LINGER: Duration = Duration::from_secs(2);

/// What a connection needs.
#[derive(Clone)]
pub(super) struct Setup {
    state: Data<State>,
    head: Duration,
    keep_alive: Duration,
    /// How long bytes may wait for a client that takes none: idle time and the window of the least rate together,
    /// because kernels announce free space in steps of hundreds of kilobytes.
    unread: Duration,
    stopping: GracefulShutdownSignal,
}

impl Setup {
    pub(super) fn new(state: Data<State>, config: &Config, stopping: GracefulShutdownSignal) -> Self {
        let deadlines = &config.deadlines;
        Self {
            state,
            head: Duration::from_secs(deadlines.request_head_seconds),
            keep_alive: Duration::from_secs(deadlines.keep_alive_seconds),
            unread: Duration::from_secs(deadlines.body_idle_seconds + deadlines.min_rate_seconds),
            stopping,
        }
    }

    /// Connections without encryption.
    pub(super) fn plain(
        &self,
    ) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<>
    {
        self.http(|io: &TcpStream| io).tcp()
    }

    /// Connections with TLS; HTTP/2 where the client wants it.
    pub(super) fn secured(
        &self,
        tls: ServerConfig,
    ) -> impl ServiceFactory<
        TcpStream,
        Config = (),
        Response = (),
        Error = TlsError<std::io::Error, DispatchError>,
        InitError = (),
    > + use<> {
        let handshake = TlsAcceptorConfig::default().handshake_timeout(self.head);
        self.http(|io: &TlsStream<TcpStream>| io.get_ref().0)
            .rustls_0_23_with_config(tls, handshake)
    }

    fn http<T: 'static>(
        &self,
        socket: fn(&T) -> &TcpStream,
    ) -> HttpService<
        T,
        impl ServiceFactory<
            Request,
            Config = (),
            Response = ServiceResponse<BoxBody>,
            Error = HttpResponse,
            InitError = (),
            Service: Service<Request, Future: 'static>,
            Future: 'static,
        > + use<T>,
        BoxBody,
        impl ServiceFactory<
            Request,
            Config = (),
            Response = Request,
            Error = actix_http::Response<BoxBody>,
            InitError = (),
            Future: 'static,
        > + use<T>,
    > {
        let app = App::new()
            .app_data(self.state.clone())
            .wrap(from_fn(middleware::guard))
            .configure(routes::configure)
            .into_factory()
            .map_err(|error| error.error_response());
        let (stopping, state, unread) = (self.stopping.clone(), self.state.clone(), self.unread);
        HttpService::build()
            .keep_alive(self.keep_alive)
            .client_request_timeout(self.head)
            .client_disconnect_timeout(LINGER)
            .tcp_nodelay(true)
            .h1_write_buffer_size(WRITE_BUFFER)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(move |io: &T, _: &mut Extensions| listen::limit_unread(socket(io), unread))
            .expect(move |request: Request| std::future::ready(expect::judge(&state, request)))
            .finish(map_config(app, |()| AppConfig::default()))
    }
}
