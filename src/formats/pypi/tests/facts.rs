use artifactapi_core::Time;

use super::*;

fn facts(document: &str, media: &str) -> Vec<Fact> {
    let url = "https://index.example/simple/demo-pkg/".parse().unwrap();
    let digest = Digest::sha256(document.as_bytes());
    let mut doc = Cursor::new(document.as_bytes().to_vec());
    let want = want("simple/demo-pkg/", "");
    PyPi.facts(&want, &mut doc, &source(&url, media, &digest))
        .unwrap()
}

fn fact<'f>(facts: &'f [Fact], id: &str) -> &'f Fact {
    let found: Vec<_> = facts.iter().filter(|fact| fact.id == id).collect();
    assert_eq!(found.len(), 1, "{id} in {facts:#?}");
    found[0]
}

#[test]
fn facts_say_where_json_files_are_and_what_they_must_be() {
    let facts = facts(MODERN, JSON);
    let sdist = fact(&facts, "demo_pkg-1.0.tar.gz");
    assert_eq!(
        sdist.url,
        "https://files.example/packages/aa/bb/demo_pkg-1.0.tar.gz"
    );
    assert_eq!(sdist.size, Some(6));
    assert_eq!(sdist.digests[0], HELLO.parse().unwrap());
    assert_eq!(sdist.digests[1].alg(), artifactapi_core::Alg::Md5);
    let time = Time::parse_rfc3339("2026-01-02T03:04:05.678901Z").unwrap();
    assert_eq!(sdist.published, Some((time, "upload-time".to_owned())));
    assert_eq!(sdist.subject.package.as_deref(), Some("demo-pkg"));
    assert_eq!(sdist.subject.version.as_deref(), Some("demo_pkg-1.0.tar.gz"));
    assert_eq!(
        fact(&facts, "demo_pkg-1.0.tar.gz.asc").url,
        format!("{}.asc", sdist.url)
    );

    let wheel = fact(&facts, "demo_pkg-1.1+local-py3-none-any.whl");
    assert_eq!(
        wheel.url,
        "https://index.example/packages/cc/demo_pkg-1.1%2Blocal-py3-none-any.whl"
    );
    let metadata = fact(&facts, "demo_pkg-1.1+local-py3-none-any.whl.metadata");
    assert_eq!(metadata.url, format!("{}.metadata", wheel.url));
    assert_eq!(metadata.digests, [HELLO.parse().unwrap()]);
    assert_eq!(metadata.subject, artifactapi_core::plan::Subject::default());
    let provenance = fact(&facts, "demo_pkg-1.1+local-py3-none-any.whl.provenance");
    assert_eq!(
        provenance.url,
        "https://index.example/integrity/demo-pkg/1.1/demo_pkg-1.1/provenance"
    );

    let relative = fact(&facts, "demo_pkg-2.0-py3-none-any.whl");
    assert_eq!(
        relative.url,
        "https://index.example/files/demo_pkg-2.0-py3-none-any.whl?sig=secret"
    );
    assert_eq!((relative.published.clone(), relative.size), (None, None));
    let metadata = fact(&facts, "demo_pkg-2.0-py3-none-any.whl.metadata");
    assert_eq!(
        metadata.url,
        "https://index.example/files/demo_pkg-2.0-py3-none-any.whl.metadata?sig=secret"
    );
    assert_eq!(facts.len(), 7, "{facts:#?}");
}

#[test]
fn facts_of_html_resolve_against_its_base() {
    let facts = facts(MIRROR, HTML);
    let url = |id: &str| fact(&facts, id).url.as_str();
    assert_eq!(
        url("demo_pkg-1.0.tar.gz"),
        "https://files.example/dl/demo_pkg-1.0.tar.gz"
    );
    assert_eq!(
        url("demo_pkg-1.0.tar.gz.asc"),
        "https://files.example/dl/demo_pkg-1.0.tar.gz.asc"
    );
    assert_eq!(
        url("demo_pkg-1.1+local-py3-none-any.whl"),
        "https://files.example/abs/demo_pkg-1.1%2Blocal-py3-none-any.whl?x=1&y=2"
    );
    assert_eq!(
        url("demo_pkg-2.0-py3-none-any.whl"),
        "https://other.example/demo_pkg-2.0-py3-none-any.whl"
    );
    assert_eq!(
        url("demo_pkg-2.0-py3-none-any.whl.provenance"),
        "https://files.example/dl/prov/2.0.json"
    );
    let metadata = fact(&facts, "demo_pkg-1.1+local-py3-none-any.whl.metadata");
    assert_eq!(metadata.digests, [HELLO.parse().unwrap()]);
    assert_eq!(facts.len(), 7, "{facts:#?}");
}

#[test]
fn a_wheel_has_a_metadata_fact_unless_its_index_denies_it() {
    let index = |metadata: &str, name: &str| {
        let json = format!(r#"{{"files":[{{"filename":"{name}","url":"{name}","hashes":{{}}{metadata}}}]}}"#);
        facts(&json, JSON).len()
    };
    assert_eq!(index("", "a.whl"), 2);
    assert_eq!(index(r#","core-metadata":false"#, "a.whl"), 1);
    assert_eq!(index("", "a.zip"), 1);
    assert_eq!(index(r#","core-metadata":true"#, "a.zip"), 2);
}

#[test]
fn the_list_of_projects_has_no_facts() {
    let digest = Digest::sha256(b"");
    let url = "https://index.example/simple/".parse().unwrap();
    let found = PyPi.facts(
        &want("simple/", ""),
        &mut Cursor::new(ROOT_JSON),
        &source(&url, JSON, &digest),
    );
    assert_eq!(found.unwrap(), []);
}
