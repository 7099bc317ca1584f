//! A small Python index for the upstream double: JSON (PEP 691) or HTML (PEP 503), files with their hashes.

use bytes::Bytes;
use serde_json::{Value, json};

use super::bytes::sha256;
use super::script::Script;
use super::upstream::Upstream;

/// The content type of PEP 691.
pub(crate) const JSON: &str = "application/vnd.pypi.simple.v1+json";

/// One file of a project.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its name.
    pub(crate) name: String,
    /// Where the index says it is.
    pub(crate) url: String,
    /// What the index says its SHA-256 is.
    pub(crate) sha256: String,
    /// Its core metadata (PEP 658), if the index advertises it.
    pub(crate) metadata: Option<Bytes>,
    /// Its size, if the index says so.
    pub(crate) size: Option<u64>,
}

impl File {
    /// A file of these bytes, at a URL.
    pub(crate) fn new(name: &str, url: &str, body: &[u8]) -> Self {
        Self {
            name: name.into(),
            url: url.into(),
            sha256: sha256(body),
            metadata: None,
            size: Some(body.len() as u64),
        }
    }

    /// Advertises core metadata.
    pub(crate) fn metadata(mut self, metadata: impl Into<Bytes>) -> Self {
        self.metadata = Some(metadata.into());
        self
    }

    fn json(&self) -> Value {
        let mut file = json!({"filename": self.name, "url": self.url, "hashes": {"sha256": self.sha256}});
        if let Some(size) = self.size {
            file["size"] = json!(size);
        }
        if let Some(metadata) = &self.metadata {
            file["core-metadata"] = json!({"sha256": sha256(metadata)});
        }
        file
    }

    fn html(&self) -> String {
        let metadata = self
            .metadata
            .as_ref()
            .map(|metadata| format!(" data-core-metadata=\"sha256={}\"", sha256(metadata)));
        let metadata = metadata.unwrap_or_default();
        let (name, url, hash) = (&self.name, &self.url, &self.sha256);
        format!("<a href=\"{url}#sha256={hash}\"{metadata}>{name}</a><br/>\n")
    }
}

/// The index page of a project in JSON.
pub(crate) fn json_page(project: &str, files: &[File]) -> Script {
    let versions: Vec<_> = files
        .iter()
        .filter_map(|file| file.name.split('-').nth(1))
        .collect();
    let files: Vec<_> = files.iter().map(File::json).collect();
    let page = json!({"meta": {"api-version": "1.1"}, "name": project, "versions": versions, "files": files});
    Script::new(page.to_string()).header("content-type", JSON)
}

/// The index page of a project in HTML.
pub(crate) fn html_page(project: &str, files: &[File]) -> Script {
    let links: String = files.iter().map(File::html).collect();
    let page = format!(
        "<!DOCTYPE html>\n<html><head><meta name=\"pypi:repository-version\" content=\"1.0\">\
         <title>Links for {project}</title></head><body><h1>Links for {project}</h1>\n{links}</body></html>\n"
    );
    Script::new(page).header("content-type", "text/html; charset=utf-8")
}

/// Puts a project of one file under `simple/` and `files/` of an upstream; gives the file's path at our side.
pub(crate) fn publish(upstream: &Upstream, project: &str, file: &str, script: Script) -> String {
    let url = format!("{}/files/{file}", upstream.url());
    let entry = File::new(file, &url, &script.body);
    upstream.set(&format!("/simple/{project}/"), json_page(project, &[entry]));
    upstream.set(&format!("/files/{file}"), script);
    format!("packages/{project}/{file}")
}
