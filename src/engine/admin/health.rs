//! Health: the stores are asked, the workers report.

use std::future::Future;
use std::time::Duration;

use artifactapi_api::health::{Component, Health, Status, Worker};
use artifactapi_core::Time;
use artifactapi_core::port::Result;
use futures_util::future;
use tokio::sync::Mutex;

use super::Admin;

/// How long a store may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer is repeated: anyone may ask, and a check of the blob store writes.
const KEPT: Duration = Duration::from_secs(1);

/// The latest answer of the stores.
pub(super) type Checked = Mutex<Option<(Time, Vec<Component>)>>;

impl Admin {
    /// How the program fares, with error texts; leave these out for those without a token.
    pub async fn health(&self) -> Health {
        let components = self.components().await;
        let workers: Vec<Worker> = self
            .parts
            .handles
            .board
            .workers()
            .into_iter()
            .map(worker)
            .collect();
        Health {
            status: status(&components, &workers),
            version: self.parts.version.to_owned(),
            components,
            workers,
        }
    }

    /// Whether requests can be served: catalog and blobs answer.
    pub async fn ready(&self) -> bool {
        status(&self.components().await, &[]) != Status::Down
    }

    async fn components(&self) -> Vec<Component> {
        // Held while the stores are asked, so that many who ask at once cause one check.
        let mut checked = self.checked.lock().await;
        let now = self.parts.clock.now();
        let recent = |at: Time| now >= at && now.since(at) < KEPT;
        if let Some((_, components)) = checked.as_ref().filter(|(at, _)| recent(*at)) {
            return components.clone();
        }
        let components = self.ask().await;
        *checked = Some((now, components.clone()));
        components
    }

    async fn ask(&self) -> Vec<Component> {
        let parts = &self.parts;
        let ping = async { parts.catalog.setting("ping").await.map(drop) };
        let (catalog, blobs, hot) = future::join3(
            component("catalog", parts.catalog.kind(), ping),
            component("blobs", parts.blobs.kind(), parts.blobs.check()),
            component("hot", parts.hot.kind(), parts.hot.check()),
        )
        .await;
        vec![catalog, blobs, hot]
    }
}

async fn component(name: &str, kind: &str, check: impl Future<Output = Result<()>>) -> Component {
    let error = match tokio::time::timeout(PATIENCE, check).await {
        Ok(Ok(())) => None,
        Ok(Err(fault)) => Some(format!("{fault:?}")),
        Err(_) => Some(format!("no answer within {PATIENCE:?}")),
    };
    Component {
        name: name.to_owned(),
        kind: kind.to_owned(),
        status: if error.is_none() { Status::Ok } else { Status::Down },
        error,
    }
}

fn worker(status: artifactapi_actors::handles::WorkerStatus) -> Worker {
    Worker {
        name: status.name,
        state: status.state.as_str().to_owned(),
        restarts: status.restarts,
        queue: status.queue,
        last_error: status.last_error,
    }
}

/// Without catalog or blobs nothing is served; without hot, or while a worker restarts, work is lost but no answer.
fn status(components: &[Component], workers: &[Worker]) -> Status {
    let down = |component: &&Component| component.status == Status::Down;
    if components.iter().any(|c| down(&c) && c.name != "hot") {
        Status::Down
    } else if components.iter().any(|c| down(&c)) || workers.iter().any(|worker| worker.state != "running") {
        Status::Degraded
    } else {
        Status::Ok
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, status: Status) -> Component {
        Component {
            name: name.into(),
            kind: "x".into(),
            status,
            error: None,
        }
    }

    #[test]
    fn only_the_hints_may_be_missing() {
        let ok = [component("catalog", Status::Ok), component("hot", Status::Ok)];
        assert_eq!(status(&ok, &[]), Status::Ok);
        let hot = [component("catalog", Status::Ok), component("hot", Status::Down)];
        assert_eq!(status(&hot, &[]), Status::Degraded);
        let catalog = [component("catalog", Status::Down), component("hot", Status::Ok)];
        assert_eq!(status(&catalog, &[]), Status::Down);
    }
}
