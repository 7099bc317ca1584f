//! Connections: one HTTP service per worker and listener, with its deadlines.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use actix_http::body::BoxBody;
use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Protocol, Request, Response};
use actix_server::GracefulShutdownSignal;
use actix_service::{
    IntoServiceFactory as _, Service, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory, fn_service,
    map_config,
};
use actix_tls::accept::TlsError;
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_web::dev::AppConfig;
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, HttpResponse};
use artifactapi_core::config::Config;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};

use super::again::Answers;
use super::timed::Timed;
use super::{expect, listen};
use crate::sendfile::{Outlet, Socket};
use crate::state::State;
use crate::{middleware, routes};

/// HTTP/2 in the words of TLS (RFC 9113 §3.2).
const H2: &[u8] = b"h2";
/// Bytes that may wait for a client's socket: one chunk of a flight, or one piece of a stored object. Each of hundreds of
/// followers has such a buffer.
const WRITE_BUFFER: usize = 64 << 10;
/// How long a connection that was answered early may take to close.
const LINGER: Duration = Duration::from_secs(2);

/// What bytes come and go by.
trait Carrier: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Where bodies can be sent past the buffer, if they can.
    fn outlet(&self) -> Option<Outlet>;
}

impl Carrier for Socket {
    fn outlet(&self) -> Option<Outlet> {
        self.outlet()
    }
}

impl Carrier for TlsStream<TcpStream> {
    fn outlet(&self) -> Option<Outlet> {
        None
    }
}

/// What a connection needs.
#[derive(Clone)]
pub(super) struct Setup {
    state: Data<State>,
    answers: Answers,
    sendfile: bool,
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
            answers: Answers::new(Arc::clone(&state.engine), config.cache.hits_bytes),
            state,
            sendfile: config.server.sendfile,
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
        let setup = self.clone();
        fn_service(move |io: TcpStream| {
            setup.prepare(&io);
            let peer = io.peer_addr().ok();
            let io = Socket::new(io, setup.sendfile);
            let timed = Timed::new(io, Some(setup.head));
            ready(Ok((timed, Protocol::Http1, peer)))
        })
        .and_then(self.http())
    }

    /// Connections with TLS; HTTP/2 where the client wants it.
    pub(super) fn secured(
        &self,
        mut tls: ServerConfig,
    ) -> impl ServiceFactory<
        TcpStream,
        Config = (),
        Response = (),
        Error = TlsError<std::io::Error, DispatchError>,
        InitError = (),
    > + use<> {
        tls.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
        let mut acceptor = Acceptor::new(tls);
        acceptor.set_handshake_timeout(self.head);
        let setup = self.clone();
        acceptor
            .map_err(TlsError::into_service_error)
            .and_then(fn_service(move |io: TlsStream<TcpStream>| {
                let (socket, session) = io.get_ref();
                setup.prepare(socket);
                let peer = socket.peer_addr().ok();
                let (protocol, head) = match session.alpn_protocol() {
                    // Its frames are no heads; its own keep-alive watches over them.
                    Some(H2) => (Protocol::Http2, None),
                    _ => (Protocol::Http1, Some(setup.head)),
                };
                ready(Ok((Timed::new(io, head), protocol, peer)))
            }))
            .and_then(self.http().map_err(TlsError::Service))
    }

    fn prepare(&self, socket: &TcpStream) {
        if let Err(error) = socket.set_nodelay(true) {
            log::debug!("a connection keeps waiting for more to send: {error}");
        }
        listen::limit_unread(socket, self.unread);
    }

    #[expect(clippy::type_complexity, reason = "opaque types cannot be named in an alias")]
    fn http<T: Carrier>(
        &self,
    ) -> HttpService<
        Timed<T>,
        impl ServiceFactory<
            Request,
            Config = (),
            Response = Response<BoxBody>,
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
            Error = Response<BoxBody>,
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
        let answers = self.answers.clone();
        let app = apply_fn_factory(map_config(app, |()| AppConfig::default()), move |request, app| {
            answers.answer(request, app)
        });
        let (stopping, state) = (self.stopping.clone(), self.state.clone());
        HttpService::build()
            .keep_alive(self.keep_alive)
            .client_request_timeout(self.head)
            .client_disconnect_timeout(LINGER)
            .h1_write_buffer_size(WRITE_BUFFER)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|io: &Timed<T>, data: &mut Extensions| {
                data.insert(io.traffic());
                if let Some(outlet) = io.get().outlet() {
                    data.insert(outlet);
                }
            })
            .expect(move |request: Request| ready(expect::judge(&state, request)))
            .finish(app)
    }
}
