//! A watcher of `/api/v2/events`.

use futures_util::StreamExt as _;
use reqwest::Method;
use serde_json::Value;

use super::PATIENCE;
use super::app::{App, TOKEN};

/// One event as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    /// Its number.
    pub(crate) id: u64,
    /// Its kind.
    pub(crate) kind: String,
    /// Its document.
    pub(crate) data: Value,
}

/// An open stream of events.
pub(crate) struct Watcher {
    stream: futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Watcher {
    /// Opens the stream with a query (`kind=hit,fetch`), going on after `last` if given.
    pub(crate) async fn open(app: &App, query: &str, last: Option<u64>) -> Self {
        let request = app
            .request(Method::GET, &format!("/api/v2/events?{query}"))
            .bearer_auth(TOKEN);
        let request = match last {
            Some(id) => request.header("last-event-id", id.to_string()),
            None => request,
        };
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            stream: response.bytes_stream().boxed(),
            text: String::new(),
        }
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Told {
        tokio::time::timeout(PATIENCE, self.read())
            .await
            .expect("an event in time")
    }

    async fn read(&mut self) -> Told {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let told = parse(block);
                self.text = rest.to_owned();
                if let Some(told) = told {
                    return told;
                }
            }
            let chunk = self
                .stream
                .next()
                .await
                .expect("the stream goes on")
                .expect("no cut");
            self.text
                .push_str(&String::from_utf8_lossy(&chunk).replace("\r\n", "\n"));
        }
    }

    /// Events up to the first for which `last` holds, that one included.
    pub(crate) async fn until(&mut self, last: impl Fn(&Told) -> bool) -> Vec<Told> {
        let mut seen = Vec::new();
        loop {
            let told = self.next().await;
            seen.push(told.clone());
            if last(&told) {
                return seen;
            }
        }
    }
}

/// An event block; `None` for comments and for what only sets a retry time.
fn parse(block: &str) -> Option<Told> {
    let field = |name: &str| {
        let mut lines = block.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.trim_start())
    };
    Some(Told {
        id: field("id")?.parse().ok()?,
        kind: field("event")?.to_owned(),
        data: serde_json::from_str(field("data")?).ok()?,
    })
}
