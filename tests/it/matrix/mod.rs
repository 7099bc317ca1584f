//! Every fault in every framing, with and without a known digest, in three sizes, for the first client and for a
//! follower. The table is printed; no cell may end in a complete-looking wrong body or a wrong stored object, and
//! after healing every cell must serve the right bytes.

mod cell;
mod table;

use futures_util::StreamExt as _;

use crate::support::app::App;
use crate::support::script::Framing;
use cell::{Cell, Rig, Trouble};

/// All cells, generated.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for trouble in Trouble::ALL {
        for framing in [Framing::Length, Framing::Chunked, Framing::UntilClose] {
            for known in [true, false] {
                for size in [20_000, 300_000, 5_000_000] {
                    let number = cells.len() as u64;
                    cells.push(Cell {
                        number,
                        trouble,
                        framing,
                        known,
                        size,
                    });
                }
            }
        }
    }
    cells
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fault_ends_in_a_complete_looking_wrong_body_and_every_cell_heals() {
    let app = App::setup()
        .env("ARTIFACTAPI_UPSTREAM_IDLE_SECONDS", "1")
        .env("ARTIFACTAPI_UPSTREAM_HEAD_SECONDS", "10")
        .start()
        .await;
    let app = &app;
    let run = |cell| async move { Rig::build(app, cell).await.play().await };
    let mut results: Vec<_> = futures_util::stream::iter(cells())
        .map(run)
        .buffer_unordered(24)
        .collect()
        .await;
    results.sort_by_key(|result| result.cell.number);
    table::print(&results);
    let wrong: Vec<_> = results.iter().flat_map(|result| &result.complaints).collect();
    assert!(wrong.is_empty(), "{} complaints:\n{wrong:#?}", wrong.len());
    assert_eq!(results.len() * 2, 9 * 3 * 2 * 3 * 2);
}
