//! JSON bodies of admin requests: bounded in size and in time.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::web::{BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use artifactapi_api::document;
use artifactapi_core::fault::Kind;
use futures_util::StreamExt as _;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::ApiError;
use crate::state::State;

/// Largest body: a document with a thousand patterns and a CA bundle is far smaller.
const MOST: usize = 1 << 20;

/// A JSON body. Whatever media type it claims, it is read as JSON.
pub(crate) struct Json(pub(crate) Value);

impl Json {
    /// The body as a document; fields that do not fit are named.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        document::read(&self.0).map_err(|errors| artifactapi_engine::admin::Refused::fields(errors).into())
    }
}

impl FromRequest for Json {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let pace = request.app_data::<Data<State>>().map(|state| state.pace);
        let patience = pace.map_or(Duration::ZERO, |pace| pace.window);
        let payload = payload.take();
        Box::pin(async move {
            let late = |_| ApiError::new(Kind::RequestTimeout, "the body arrives too slowly");
            let bytes = tokio::time::timeout(patience, collect(payload))
                .await
                .map_err(late)??;
            if bytes.is_empty() {
                return Ok(Self(Value::Object(serde_json::Map::new())));
            }
            document::parse(&bytes)
                .map(Self)
                .map_err(|error| ApiError::malformed("the body is not JSON", vec![error]))
        })
    }
}

async fn collect(mut payload: Payload) -> Result<BytesMut, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| ApiError::new(Kind::BadRequest, "the body broke off"))?;
        if bytes.len() + chunk.len() > MOST {
            return Err(ApiError::new(
                Kind::TooLarge,
                format!("the body is larger than {MOST} bytes"),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
