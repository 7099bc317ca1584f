//! What is so only where a part of the store is embedded. A run on real servers leaves these out by name, with
//! `--skip embedded::`; one that does not fails here.

mod folder;

use crate::support::app::App;
use crate::support::parts::Parts;

/// A program whose catalog and objects lie in its data folder.
async fn embedded() -> App {
    let asked = Parts::asked();
    assert!(
        !asked.postgresql && !asked.s3,
        "IT_STORES names servers: this test is about the data folder; leave it out with --skip embedded::"
    );
    App::start().await
}
