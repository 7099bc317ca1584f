//! What every request costs before a byte moves, and what an index costs once: for looking at changes, not for promises.

use std::hint::black_box;
use std::io::Cursor;

use artifactapi_core::entry::{Entry, EntryKey, Lifetime};
use artifactapi_core::freshness::{self, Rules};
use artifactapi_core::key::ObjectName;
use artifactapi_core::plan::{Ask, Plan, Verb, Want};
use artifactapi_core::range;
use artifactapi_core::repository::RepoId;
use artifactapi_core::{Digest, Headers, Key, Time};
use artifactapi_formats::{Format, Repo, Source, named};
use criterion::{Criterion, Throughput};
use url::Url;
use uuid::Uuid;

const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// Files of the large index.
const FILES: usize = 2_000;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut criterion = Criterion::default().configure_from_args();
    decisions(&mut criterion)?;
    for name in ["generic", "pypi"] {
        routes(&mut criterion, name)?;
    }
    derives(&mut criterion)?;
    criterion.final_summary();
    Ok(())
}

/// Freshness and ranges.
fn decisions(criterion: &mut Criterion) -> Result<(), Failure> {
    let digest = Digest::sha256(b"x");
    let entry = Entry {
        id: EntryKey::new(RepoId(Uuid::nil()), Key::new("a/b-1.0.whl")?),
        object: ObjectName::blob(&digest, Uuid::nil()),
        digest,
        size: 20_480,
        lifetime: Lifetime::Mutable,
        media: JSON.to_owned(),
        etag: None,
        last_modified: None,
        kept: Headers::new(),
        source_url: None,
        proven: true,
        fetched_at: Time(0),
        validated_at: Time(0),
        expires_at: Some(Time(600_000_000)),
    };
    let rules = Rules {
        immutable_ttl: 0,
        mutable_ttl: 600,
        stale_on_error: true,
        max_stale: 0,
        stale_while_revalidate: 0,
    };
    criterion.bench_function("freshness", |bench| {
        bench.iter(|| freshness::decide(black_box(&entry), &rules, Time(1_000_000), false));
    });
    criterion.bench_function("range", |bench| {
        bench.iter(|| range::decide(black_box(Some("bytes=100-20000")), 20_480));
    });
    Ok(())
}

fn repo(name: &str) -> Repo<'_> {
    Repo {
        name,
        local: false,
        index: None,
    }
}

fn ask(path: &str) -> Result<Ask, Failure> {
    Ok(Ask {
        verb: Verb::Get,
        key: Key::decode(path)?,
        query: String::new(),
        headers: Headers::from_iter([("host", "x"), ("accept", JSON), ("user-agent", "bench")]),
    })
}

/// From the raw path to the plan.
fn routes(criterion: &mut Criterion, name: &str) -> Result<(), Failure> {
    let format = format(name)?;
    let path = "packages/demo/demo-1.0-py3-none-any.whl";
    let one = ask(path)?;
    criterion.bench_function(&format!("route/{name}"), |bench| {
        bench.iter(|| format.route(black_box(&one), &repo("r")));
    });
    criterion.bench_function(&format!("decode/{name}"), |bench| {
        bench.iter(|| Key::decode(black_box(path)));
    });
    Ok(())
}

/// The served forms of a large index.
fn derives(criterion: &mut Criterion) -> Result<(), Failure> {
    let (format, index, url) = (
        format("pypi")?,
        index(),
        Url::parse("http://u.example/simple/demo/")?,
    );
    let digest = Digest::sha256(index.as_bytes());
    let source = Source {
        url: Some(&url),
        media: JSON,
        digest: &digest,
    };
    let mut group = criterion.benchmark_group("derive/pypi");
    group.throughput(Throughput::Elements(FILES as u64));
    for accept in [JSON, "text/html"] {
        let want = page(format, accept)?;
        group.bench_function(accept, |bench| {
            bench.iter(|| format.derive(&want, &mut Cursor::new(index.as_bytes()), &source));
        });
    }
    group.finish();
    Ok(())
}

fn format(name: &str) -> Result<&'static dyn Format, Failure> {
    named(name).ok_or_else(|| "no such type".into())
}

fn page(format: &dyn Format, accept: &str) -> Result<Want, Failure> {
    let mut ask = ask("simple/demo/")?;
    ask.headers.set("accept", accept);
    match format.route(&ask, &repo("r"))? {
        Plan::Serve(want) => Ok(want),
        _ => Err("a page is served".into()),
    }
}

fn index() -> String {
    let file = |n: usize| {
        let (major, minor) = (n / 10, n % 10);
        format!(
            "{{\"filename\":\"demo-{major}.{minor}-py3-none-any.whl\",\"url\":\"/files/{n:032x}/demo-{major}.{minor}-py3-none-any.whl\",\
             \"hashes\":{{\"sha256\":\"{n:064x}\"}},\"requires-python\":\">=3.8\",\"size\":{n},\"yanked\":false}}"
        )
    };
    let files: Vec<String> = (0..FILES).map(file).collect();
    format!(
        "{{\"meta\":{{\"api-version\":\"1.1\"}},\"name\":\"demo\",\"versions\":[],\"files\":[{}]}}",
        files.join(",")
    )
}
