use serde_json::{Value, json};

use super::*;

#[test]
fn json_keeps_everything_but_where_files_are() {
    let (body, media) = derived("simple/demo-pkg/", JSON, MODERN, JSON);
    assert_eq!(media, JSON);
    assert!(
        body.contains(r#"{"deep": [1,  2]}"#),
        "raw values stay as they were written"
    );
    let found: Value = serde_json::from_str(&body).unwrap();
    let mut expected: Value = serde_json::from_str(MODERN).unwrap();
    let files = expected["files"].as_array_mut().unwrap();
    files.truncate(3);
    for (file, name) in files.iter_mut().zip([
        "demo_pkg-1.0.tar.gz",
        "demo_pkg-1.1+local-py3-none-any.whl",
        "demo_pkg-2.0-py3-none-any.whl",
    ]) {
        file["url"] = json!(format!("../../packages/demo-pkg/{name}"));
        file.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    files[1]["provenance"] = json!("../../packages/demo-pkg/demo_pkg-1.1+local-py3-none-any.whl.provenance");
    files[2]["core-metadata"] = json!(true);
    assert_eq!(found, expected);
}

#[test]
fn json_becomes_html_with_every_attribute_of_the_standards() {
    let html = page("text/html", MODERN, JSON);
    for line in [
        "<meta name=\"pypi:repository-version\" content=\"1.4\">",
        "<meta name=\"pypi:project-status\" content=\"archived\">",
        "<meta name=\"pypi:project-status-reason\" content=\"moved \u{2192} elsewhere\">",
        "<a href=\"../../packages/demo-pkg/demo_pkg-1.0.tar.gz#sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\" \
         data-upload-time=\"2026-01-02T03:04:05.678901Z\" data-gpg-sig=\"true\" \
         data-yanked=\"broken &quot;build&quot; &lt;&amp;&gt;\">demo_pkg-1.0.tar.gz</a><br>",
        "<a href=\"../../packages/demo-pkg/demo_pkg-1.1+local-py3-none-any.whl#sha256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\" \
         data-requires-python=\"&gt;=3.9,&lt;4\" data-upload-time=\"2026-01-03T00:00:00Z\" \
         data-core-metadata=\"sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\" \
         data-dist-info-metadata=\"sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\" \
         data-provenance=\"../../packages/demo-pkg/demo_pkg-1.1+local-py3-none-any.whl.provenance\">\
         demo_pkg-1.1+local-py3-none-any.whl</a><br>",
        "<a href=\"../../packages/demo-pkg/demo_pkg-2.0-py3-none-any.whl\" data-core-metadata=\"true\" data-dist-info-metadata=\"true\">demo_pkg-2.0-py3-none-any.whl</a><br>",
    ] {
        assert!(html.lines().any(|found| found == line), "{line}\nnot in\n{html}");
    }
    assert_eq!(html.matches("<a ").count(), 3);
}

#[test]
fn html_becomes_json_of_the_oldest_version_with_upload_times() {
    let (body, media) = derived("simple/demo-pkg/", JSON, MIRROR, HTML);
    assert_eq!(media, JSON);
    let found: Value = serde_json::from_str(&body).unwrap();
    let expected = json!({
        "meta": {"api-version": "1.0"},
        "name": "demo-pkg",
        "project-status": {"status": "quarantined", "reason": "looks \"odd\""},
        "files": [
            {
                "filename": "demo_pkg-1.0.tar.gz",
                "url": "../../packages/demo-pkg/demo_pkg-1.0.tar.gz",
                "hashes": {"sha256": HELLO.trim_start_matches("sha256:")},
                "gpg-sig": true,
                "upload-time": "2026-01-02T03:04:05.678901Z",
            },
            {
                "filename": "demo_pkg-1.1+local-py3-none-any.whl",
                "url": "../../packages/demo-pkg/demo_pkg-1.1+local-py3-none-any.whl",
                "hashes": {"md5": "b1946ac92492d2347c6235b4d2611184"},
                "requires-python": ">=3.9,<4",
                "core-metadata": {"sha256": HELLO.trim_start_matches("sha256:")},
                "yanked": true,
            },
            {
                "filename": "demo_pkg-2.0-py3-none-any.whl",
                "url": "../../packages/demo-pkg/demo_pkg-2.0-py3-none-any.whl",
                "hashes": {},
                "core-metadata": true,
                "yanked": "bad & worse",
                "provenance": "../../packages/demo-pkg/demo_pkg-2.0-py3-none-any.whl.provenance",
            },
        ],
    });
    assert_eq!(found, expected);
}

#[test]
fn json_that_was_served_as_html_says_the_same_when_read_back() {
    let html = page("text/html", MODERN, JSON);
    let mut back: Value = serde_json::from_str(&page(JSON, &html, HTML)).unwrap();
    let mut direct: Value = serde_json::from_str(&page(JSON, MODERN, JSON)).unwrap();
    for file in back["files"].as_array_mut().unwrap() {
        file.as_object_mut().unwrap().retain(|name, _| name != "hashes");
    }
    let in_html = [
        "filename",
        "url",
        "requires-python",
        "gpg-sig",
        "upload-time",
        "provenance",
    ];
    for (file, back) in direct["files"]
        .as_array_mut()
        .unwrap()
        .iter()
        .zip(back["files"].as_array().unwrap())
    {
        for name in in_html {
            if file[name] != json!("yesterday") {
                assert_eq!(file[name], back[name], "{name}");
            }
        }
    }
}

#[test]
fn the_form_decides_the_media_type_and_varies_by_accept() {
    for (accept, media) in [
        (JSON, JSON),
        (
            "application/vnd.pypi.simple.v1+html",
            "application/vnd.pypi.simple.v1+html",
        ),
        ("*/*", HTML),
    ] {
        assert_eq!(derived("simple/demo-pkg/", accept, MODERN, JSON).1, media);
    }
}

#[test]
fn the_list_of_projects_is_served_in_both_forms_from_both_forms() {
    let json = derived("simple/", JSON, ROOT_JSON, JSON).0;
    let expected = json!({
        "meta": {"api-version": "1.0", "_last-serial": 9},
        "projects": [{"name": "Demo.Pkg", "_last-serial": 7}, {"name": "six"}],
    });
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
    let anchors = "<a href=\"demo-pkg/\">Demo.Pkg</a><br>\n<a href=\"six/\">six</a><br>\n";
    for (document, media) in [(ROOT_JSON, JSON), (ROOT_HTML, HTML)] {
        assert!(
            derived("simple/", "", document, media).0.contains(anchors),
            "{media}"
        );
    }
    let names = derived("simple/", JSON, ROOT_HTML, HTML).0;
    assert!(
        names.contains(r#""projects":[{"name":"Demo.Pkg"},{"name":"six"}]"#),
        "{names}"
    );
}

#[test]
fn a_page_that_is_no_page_is_a_fault_of_upstream() {
    let url = "https://index.example/simple/demo-pkg/".parse().unwrap();
    let digest = Digest::sha256(b"");
    for body in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"files":{}}"#,
        r#"{"files":[1]}"#,
        r#"{"files":[]}x"#,
        "{\"files\":[],\"\u{fffd}\":\"\\ud800\"}x",
    ] {
        let source = source(&url, JSON, &digest);
        let want = want("simple/demo-pkg/", JSON);
        let fault = PyPi.derive(&want, &mut Cursor::new(body), &source).unwrap_err();
        assert_eq!(fault.kind.status(), 502, "{body}");
        assert!(PyPi.facts(&want, &mut Cursor::new(body), &source).is_err());
    }
}

#[test]
fn a_login_page_is_a_page_without_files() {
    let html = page(
        "text/html",
        "<!DOCTYPE html><html><a href='/login'>Log in</a></html>",
        HTML,
    );
    assert!(!html.contains("<a "), "{html}");
}
