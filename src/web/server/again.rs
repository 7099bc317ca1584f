//! Answers given again: what was answered to a plain read of something small is kept whole, and the same question is
//! answered with it before anything is routed, for as long as the engine says that it holds.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};

use actix_http::body::BoxBody;
use actix_http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_http::{HttpMessage as _, Request, Response, StatusCode, Version};
use actix_service::Service;
use actix_web::HttpResponse;
use actix_web::dev::ServiceResponse;
use artifactapi_engine::Engine;
use artifactapi_engine::again::{Again, Dated};
use futures_util::future::Either;
use moka::sync::Cache;

use crate::proxy;
use crate::sendfile::{Direct, Outlet, Parcel};
use crate::traffic::Traffic;

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// What an answer takes besides key and body, for the bound.
const OVERHEAD: usize = 1024;
/// More bytes are better sent from where they are than copied into the buffer.
const WORTH_NO_COPY: usize = 8 << 10;
/// Whoever asks at such length is not answered from here.
const LONGEST_KEY: usize = 2048;

thread_local! {
    /// Where keys are put together for looking them up.
    static KEY: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The answers of all workers.
#[derive(Clone)]
pub(super) struct Answers {
    kept: Cache<String, Arc<Answer>>,
    engine: Arc<Engine>,
}

struct Answer {
    again: Again,
    /// All fields but those of `dated`.
    fields: HeaderMap,
    /// `Age` and `Cache-Status` as they were last.
    dated: Mutex<(Dated, HeaderValue, HeaderValue)>,
}

impl Answers {
    /// Keeps as many answers as fit into so many bytes.
    pub(super) fn new(engine: Arc<Engine>, bytes: u64) -> Self {
        let weigh = |key: &String, answer: &Arc<Answer>| {
            let bytes = key.len() + answer.again.body().len() + OVERHEAD;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            kept: Cache::builder().max_capacity(bytes).weigher(weigh).build(),
            engine,
        }
    }

    /// Answers a request: again, or as the application does.
    pub(super) fn answer<S>(
        &self,
        request: Request,
        app: &S,
    ) -> impl Future<Output = Result<Response<BoxBody>, HttpResponse>> + use<S>
    where
        S: Service<Request, Response = ServiceResponse<BoxBody>, Error = HttpResponse>,
    {
        let key = match self.look(&request) {
            Ok(response) => return Either::Left(std::future::ready(Ok(response))),
            Err(key) => key,
        };
        let (answers, answered) = (self.clone(), app.call(request));
        Either::Right(async move {
            let mut response = Response::from(answered.await?);
            let again = response.extensions_mut().remove::<Again>();
            if let (Some(key), Some(again)) = (key, again) {
                answers.keep(key, again, response.headers());
            }
            Ok(response)
        })
    }

    /// The answer to give again; else the key under which one may be kept.
    fn look(&self, request: &Request) -> Result<Response<BoxBody>, Option<String>> {
        KEY.with_borrow_mut(|key| {
            key.clear();
            if !put_key(request, key) {
                return Err(None);
            }
            let Some(answer) = self.kept.get(key.as_str()) else {
                return Err(Some(key.clone()));
            };
            let Some(dated) = self.engine.again(&answer.again) else {
                self.kept.invalidate(key.as_str());
                return Err(Some(key.clone()));
            };
            if let Some(traffic) = request.conn_data::<Traffic>() {
                drop(traffic.begin());
            }
            Ok(answer.response(dated, request.conn_data::<Outlet>()))
        })
    }

    fn keep(&self, key: String, again: Again, fields: &HeaderMap) {
        let mut fields = fields.clone();
        fields.remove(header::AGE);
        fields.remove(CACHE_STATUS);
        let dated = Dated { age: 0, ttl: None };
        let answer = Answer {
            again,
            fields,
            dated: Mutex::new((dated, age(dated), status(dated))),
        };
        self.kept.insert(key, Arc::new(answer));
    }
}

impl Answer {
    fn response(&self, dated: Dated, outlet: Option<&Outlet>) -> Response<BoxBody> {
        let body = self.again.body();
        let direct = outlet.filter(|_| body.len() > WORTH_NO_COPY);
        let boxed = match direct {
            Some(outlet) => BoxBody::new(Direct::new(outlet.clone(), Parcel::Memory(body.clone()))),
            None => BoxBody::new(body.clone()),
        };
        let mut response = Response::with_body(StatusCode::OK, boxed);
        response.head_mut().no_chunking(direct.is_some());
        let fields = response.headers_mut();
        fields.clone_from(&self.fields);
        if direct.is_some() {
            fields.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        let mut last = self.dated.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != dated {
            *last = (dated, age(dated), status(dated));
        }
        fields.insert(header::AGE, last.1.clone());
        fields.insert(CACHE_STATUS, last.2.clone());
        response
    }
}

fn age(dated: Dated) -> HeaderValue {
    HeaderValue::from(dated.age)
}

fn status(dated: Dated) -> HeaderValue {
    // It is made of letters, digits and signs.
    HeaderValue::try_from(dated.cache_status()).unwrap_or(HeaderValue::from_static("artifactapi; hit"))
}

/// Puts together everything an answer may depend on; `false` where it may depend on more.
fn put_key(request: &Request, key: &mut String) -> bool {
    let (uri, headers) = (request.uri(), request.headers());
    let absolute = uri.authority().is_some() && request.version() < Version::HTTP_2;
    if absolute || !uri.path().starts_with(proxy::PREFIX) || !proxy::is_plain(request.method(), uri, headers)
    {
        return false;
    }
    let host = uri.authority().map(actix_http::uri::Authority::as_str);
    key.push_str(host.unwrap_or_default());
    key.push('\n');
    for field in [header::HOST, header::ACCEPT] {
        for value in headers.get_all(field) {
            let Ok(value) = value.to_str() else {
                return false;
            };
            key.push_str(value);
            key.push('\n');
        }
        key.push('\n');
    }
    key.push_str(uri.path());
    key.len() <= LONGEST_KEY
}
