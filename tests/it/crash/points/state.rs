//! What a client and an administrator can see of a store, as a text that can be compared between programs.

use serde_json::Value;

use super::client::items;
use crate::support::app::App;
use crate::support::upstream::Upstream;

/// Repositories with their upstreams, and the objects of each. Revisions, times and uses are left out.
pub(super) async fn of(app: &App, upstream: &Upstream) -> String {
    let mut lines = Vec::new();
    for kind in ["remotes", "locals"] {
        for repository in items(app, kind).await {
            let name = text(&repository, "name").to_owned();
            lines.push(format!("{kind} {name} {}", repository["base_url"]));
            for object in items(app, &format!("{kind}/{name}/objects?limit=1000")).await {
                let fields = ["path", "variant", "digest", "class"].map(|field| text(&object, field));
                lines.push(format!("  {} {}", fields.join(" "), object["size"]));
            }
        }
    }
    lines.join("\n").replace(&upstream.url(), "upstream:")
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}
