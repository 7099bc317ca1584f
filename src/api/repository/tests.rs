//! What goes in, what comes out, and what is refused.

use artifactapi_core::Time;
use artifactapi_core::fault::FieldError;
use artifactapi_core::repository::{RemoteSettings, RepoId, Repository, Role, Secret};
use serde_json::json;

use super::*;

fn draft() -> Draft<RemoteSettings> {
    Draft::read_new(json!({
        "name": "files", "package_type": "generic", "base_url": "http://upstream.example/", "username": "u",
        "password": "hunter2", "patterns": ["^a"], "mutable_ttl": 60,
        "mirrors": ["http://one.example/", {"url": "http://two.example/", "username": "m", "password": "hunter3"}],
    }))
    .unwrap()
}

fn shown(draft: &Draft<RemoteSettings>) -> Value {
    let repository = Repository {
        id: RepoId(uuid::Uuid::nil()),
        name: draft.name.clone(),
        package_type: draft.package_type.clone(),
        role: Role::Remote(Box::new(draft.settings.clone())),
        revision: 3,
        created_at: Time(0),
        updated_at: Time(1_000_000),
    };
    serde_json::to_value(RemoteDocument::new(&repository, &draft.settings)).unwrap()
}

fn named(complaints: &[FieldError]) -> Vec<&str> {
    complaints
        .iter()
        .map(|complaint| complaint.field.as_str())
        .collect()
}

#[test]
fn a_mirror_may_be_a_url_alone() {
    let mirrors = draft().settings.mirrors;
    assert_eq!(mirrors[0].url.as_str(), "http://one.example/");
    assert_eq!(mirrors[1].password, Some(Secret("hunter3".into())));
}

#[test]
fn no_secret_comes_out_and_their_presence_does() {
    let document = shown(&draft());
    let text = document.to_string();
    assert!(!text.contains("hunter"), "{text}");
    assert_eq!(document["password_set"], json!(true));
    assert_eq!(document["token_set"], json!(false));
    assert_eq!(document["revision"], json!(3));
    assert_eq!(document["kind"], json!("remote"));
    assert_eq!(document["updated_at"], json!("1970-01-01T00:00:01.000Z"));
}

#[test]
fn a_document_that_was_read_may_be_sent_back_and_changes_nothing() {
    let draft = draft();
    let document = shown(&draft);
    assert_eq!(draft.replaced_by(document.clone()).unwrap(), draft);
    let read: RemoteDocument = serde_json::from_value(document.clone()).unwrap();
    assert!(read.password_set && !read.token_set);
    assert_eq!(serde_json::to_value(read).unwrap(), document);
}

#[test]
fn a_replacement_returns_what_it_omits_to_the_default_but_keeps_the_secret() {
    let after = draft()
        .replaced_by(json!({"base_url": "http://upstream.example/", "username": "u"}))
        .unwrap();
    assert_eq!(after.settings.password, Some(Secret("hunter2".into())));
    assert!(after.settings.patterns.is_empty() && after.settings.mirrors.is_empty());
    assert_eq!(after.settings.mutable_ttl, None);
    let after = draft()
        .replaced_by(json!({"base_url": "http://upstream.example/", "password": null}))
        .unwrap();
    assert_eq!(after.settings.password, None);
}

#[test]
fn a_replacement_that_identifies_itself_otherwise_drops_the_earlier_secret() {
    let replaced = |draft: &Draft<RemoteSettings>, document: Value| {
        let mut document = document;
        document["base_url"] = json!("http://upstream.example/");
        draft.replaced_by(document).unwrap()
    };
    let with_token = replaced(&draft(), json!({"token": "t"}));
    assert_eq!(
        (&with_token.settings.password, with_token.settings.token.is_some()),
        (&None, true)
    );
    assert!(replaced(&with_token, json!({})).settings.token.is_some());
    let with_password = replaced(&with_token, json!({"username": "u", "password": "p"}));
    assert!(with_password.settings.token.is_none());
    assert!(
        replaced(&draft(), json!({})).settings.password.is_none(),
        "nobody's password"
    );
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let before = draft();
    let after = before
        .patched_with(json!({"patterns": ["^b"], "mutable_ttl": null, "password": null}))
        .unwrap();
    assert_eq!(after.settings.patterns, ["^b"]);
    assert_eq!(after.settings.mutable_ttl, None);
    assert_eq!(after.settings.password, None);
    assert_eq!(after.settings.mirrors, before.settings.mirrors);
    assert_eq!(before.patched_with(json!({})).unwrap(), before);
}

#[test]
fn a_mirror_keeps_its_password_while_url_and_user_stay() {
    let before = draft();
    let kept = before
        .patched_with(json!({"mirrors": [{"url": "http://two.example", "username": "m"}]}))
        .unwrap();
    assert_eq!(kept.settings.mirrors[0].password, Some(Secret("hunter3".into())));
    for other in [
        json!({"url": "http://other.example/", "username": "m"}),
        json!({"url": "http://two.example/", "username": "n"}),
        json!({"url": "http://two.example/", "username": "m", "password": null}),
    ] {
        let lost = before.patched_with(json!({"mirrors": [other]})).unwrap();
        assert_eq!(lost.settings.mirrors[0].password, None);
    }
}

#[test]
fn name_and_type_cannot_change_and_are_needed_to_create() {
    let before = draft();
    let wrong = before
        .replaced_by(json!({"name": "other", "package_type": "pypi", "base_url": "http://upstream.example/"}))
        .unwrap_err();
    assert_eq!(named(&wrong), ["name", "package_type"]);
    let wrong =
        Draft::<RemoteSettings>::read_new(json!({"base_url": "http://upstream.example/"})).unwrap_err();
    assert_eq!(named(&wrong), ["name", "package_type"]);
    let wrong = Draft::<RemoteSettings>::read_new(json!({"name": 1, "package_type": null})).unwrap_err();
    assert_eq!(named(&wrong), ["name", "package_type", "base_url"]);
}

#[test]
fn every_refused_field_is_named_and_no_secret_is_repeated() {
    let wrong = Draft::<RemoteSettings>::read_new(json!({
        "name": "a", "package_type": "generic", "base_url": "no url hunter2", "mutable_ttl": "1h", "colour": "red",
        "password": 4711, "mirrors": [{"url": "http://m.example/", "x": 1}],
    }))
    .unwrap_err();
    let mut fields = named(&wrong);
    fields.sort_unstable();
    assert_eq!(
        fields,
        ["base_url", "colour", "mirrors.0.x", "mutable_ttl", "password"]
    );
    let text = format!("{wrong:?}");
    assert!(!text.contains("hunter2") && !text.contains("4711"), "{text}");
}

#[test]
fn locals_have_their_own_settings() {
    let local = Draft::<LocalSettings>::read_new(
        json!({"name": "l", "package_type": "generic", "quota_bytes": 5, "revision": 9}),
    )
    .unwrap();
    assert_eq!(local.settings.quota_bytes, 5);
    let wrong = local
        .replaced_by(json!({"base_url": "http://upstream.example/"}))
        .unwrap_err();
    assert_eq!(named(&wrong), ["base_url"]);
}
