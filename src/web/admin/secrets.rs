//! `POST /api/v2/secrets/rotate`: reads the key file again and seals every secret with its first key.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::{Answer, authorised::Authorised, carried_through};
use crate::state::State;

/// Answers with the id of the key and how many secrets it seals now.
pub(crate) async fn rotate(_: Authorised, state: Data<State>) -> Answer {
    carried_through(async move { Ok(HttpResponse::Ok().json(state.admin.rotate_secrets().await?)) }).await
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::admin::harness::Bench;

    #[actix_web::test]
    async fn a_rotation_counts_secrets_and_shows_none() {
        let bench = Bench::start().await;
        let document = json!({
            "name": "r", "package_type": "generic", "base_url": "http://upstream.example/",
            "username": "u", "password": "hunter2",
        });
        assert_eq!(bench.call("POST", "/api/v2/remotes", document).await.status, 201);
        let path = "/api/v2/secrets/rotate";
        let answer = bench.call("POST", path, Value::Null).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let counts = ["reread", "resealed", "already", "failed"].map(|name| answer.json()[name].clone());
        assert_eq!(json!(counts), json!([true, 0, 1, 0]));
        assert!(!answer.text.contains("hunter2"));
        let stranger = bench.call_with("POST", path, Value::Null, &[]).await;
        assert_eq!(stranger.status, 401);
        let sealed = json!({"password": "sealed:1:0a1b2c3d:xyz"});
        let refused = bench.call("PATCH", "/api/v2/remotes/r", sealed).await;
        assert_eq!(refused.fields(), ["password"]);
        bench.stop().await;
    }
}
