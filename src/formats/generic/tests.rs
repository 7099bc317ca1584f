use super::*;
use crate::kit::testing::{LOCAL, REMOTE, ask, get, served};

fn serve(repo: &Repo<'_>, path: &str, query: &str) -> Want {
    let mut ask = get(path);
    query.clone_into(&mut ask.query);
    served(Generic.route(&ask, repo))
}

fn refusal(repo: &Repo<'_>, verb: Verb, path: &str, fields: &[(&str, &str)]) -> Kind {
    let mut ask = ask(verb, path);
    ask.headers = fields.iter().copied().collect();
    Generic.route(&ask, repo).unwrap_err().kind
}

#[test]
fn files_of_a_remote_are_pinned_and_listings_mutable() {
    let file = serve(&REMOTE, "a/b.tar.gz", "");
    assert_eq!(file.class, Class::Immutable(Integrity::Pinned));
    assert_eq!(file.media, None);
    for folder in ["", "a/"] {
        assert_eq!(serve(&REMOTE, folder, "").class, Class::Mutable);
    }
}

#[test]
fn the_query_is_part_of_a_remote_key_and_goes_upstream_apart_from_the_path() {
    let want = serve(&REMOTE, "a%20b", "x=%7e&u=http://h/");
    assert_eq!(want.key.as_str(), "a b?x=~&u=http://h/");
    let order = Generic.order(&want, &REMOTE);
    assert_eq!(order.at, At::Base("a%20b".to_owned()));
    assert_eq!(order.query, "x=~&u=http://h/");
    assert!(order.identity);
    assert_eq!(serve(&LOCAL, "a", "x=1").key.as_str(), "a");
}

#[test]
fn a_local_takes_files_and_gives_them_back() {
    let Plan::Publish(publish) = Generic.route(&ask(Verb::Put, "d/f"), &LOCAL).unwrap() else {
        panic!("no publish");
    };
    assert_eq!(publish.want, serve(&LOCAL, "d/f", ""));
    assert_eq!(publish.claimed, []);
    let Plan::Delete(want) = Generic.route(&ask(Verb::Delete, "d/f"), &LOCAL).unwrap() else {
        panic!("no delete");
    };
    assert_eq!(want, publish.want);
}

#[test]
fn claimed_digests_come_with_the_publish() {
    let mut put = ask(Verb::Put, "f");
    let sha256 = artifactapi_core::Digest::sha256(b"");
    put.headers.append("X-Checksum-Sha256", sha256.hex());
    let Plan::Publish(publish) = Generic.route(&put, &LOCAL).unwrap() else {
        panic!("no publish");
    };
    assert_eq!(publish.claimed, [sha256]);
}

#[test]
fn writes_that_are_no_whole_file_are_refused() {
    for (path, field) in [
        ("d/", ("a", "b")),
        ("", ("a", "b")),
        ("f", ("content-range", "bytes 0-1/2")),
        ("f", ("content-encoding", "gzip")),
        ("f", ("content-encoding", "identity, br")),
        ("f", ("content-md5", "?")),
    ] {
        assert_eq!(
            refusal(&LOCAL, Verb::Put, path, &[field]),
            Kind::BadRequest,
            "{path} {field:?}"
        );
    }
    let mut plain = ask(Verb::Put, "f");
    plain.headers.append("content-encoding", "identity");
    assert!(Generic.route(&plain, &LOCAL).is_ok());
}

#[test]
fn methods_that_a_repository_does_not_take_are_refused() {
    for (repo, verb) in [
        (&REMOTE, Verb::Put),
        (&REMOTE, Verb::Delete),
        (&REMOTE, Verb::Post),
        (&LOCAL, Verb::Post),
        (&LOCAL, Verb::Patch),
    ] {
        assert_eq!(refusal(repo, verb, "f", &[]), Kind::MethodNotAllowed, "{verb:?}");
    }
    for verb in [Verb::Get, Verb::Delete] {
        assert_eq!(refusal(&LOCAL, verb, "d/", &[]), Kind::NotFound);
    }
}
