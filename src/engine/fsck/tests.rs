//! Every kind of damage, planted and found.

mod rig;

use std::collections::HashSet;

use artifactapi_core::entry::Lifetime;
use artifactapi_core::key::{Key, ObjectName};
use artifactapi_store::catalog::sqlite::Sqlite;

use super::*;
use rig::Rig;

const READ: Options = Options {
    rehash: false,
    repair: false,
    grace: GRACE,
};
const REHASH: Options = Options { rehash: true, ..READ };
const REPAIR: Options = Options {
    repair: true,
    ..REHASH
};

#[tokio::test]
async fn a_sound_store_is_clean() {
    let rig = Rig::new().await;
    for n in 0..3 {
        rig.cached(&format!("{n}"), &format!("{n}")).await;
        rig.put(&format!("hosted {n}"), &format!("{n}"), Lifetime::Hosted)
            .await;
    }
    // Equal bytes were written twice; the second object is an orphan until the engine removes it.
    let found = rig.found(REHASH).await;
    assert_eq!(found.len(), 3);
    for (_, object) in found {
        rig.lose(&ObjectName::stored(object)).await;
    }
    let report = rig.run(REHASH).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(
        (
            report.checked.rows,
            report.checked.objects,
            report.checked.rehashed
        ),
        (3, 3, 3)
    );
    assert_eq!(report.exit_code(), 0);
}

#[tokio::test]
async fn all_nine_kinds_are_reported_exactly() {
    let rig = Rig::new().await;
    rig.cached("sound", "sound").await;
    let planted = rig.all().await;
    for (kind, _) in &planted {
        let name = serde_json::to_value(kind).unwrap();
        assert_eq!(name, kind.as_str(), "one name for people and programs");
    }
    let kinds: HashSet<_> = planted.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds.len(), 9);
    assert_eq!(rig.found(REHASH).await, planted);
    assert_eq!(rig.found(REHASH).await, planted, "looking changes nothing");
    assert_eq!(rig.run(REHASH).await.exit_code(), 1);
}

#[tokio::test]
async fn each_kind_alone_has_its_exit_code() {
    for (n, code) in [1, 1, 1, 1, 1, 0, 0, 0, 0].into_iter().enumerate() {
        let rig = Rig::new().await;
        let planted = match n {
            0 => rig.missing_object(Lifetime::Hosted).await,
            1 => rig.wrong_size().await,
            2 => rig.wrong_digest().await,
            3 => rig.dangling_entry().await,
            4 => rig.row_without_object().await,
            5 => rig.half_deleted().await,
            6 => rig.object_without_row().await,
            7 => rig.stale_spool(),
            _ => rig.half_written(),
        };
        assert_eq!(rig.found(REHASH).await, std::slice::from_ref(&planted));
        let report = rig.run(REHASH).await;
        assert_eq!(report.exit_code(), code, "{planted:?}");
        assert!(!report.is_clean());
    }
}

#[tokio::test]
async fn bytes_are_read_only_when_asked_for() {
    let rig = Rig::new().await;
    let flipped = rig.wrong_digest().await;
    let report = rig.run(READ).await;
    assert!(report.is_clean());
    assert_eq!(report.checked.rehashed, 0);
    assert_eq!(rig.found(REHASH).await, [flipped]);
}

/// A folder in the place of a file has a size and can be opened, but not be read.
#[tokio::test]
async fn bytes_that_cannot_be_read_are_damage_and_the_rest_is_checked() {
    let rig = Rig::new().await;
    let sample = rig.dir.path().join("sample");
    std::fs::create_dir_all(sample.join("in it")).unwrap();
    let size = std::fs::metadata(&sample).unwrap().len();
    let entry = rig
        .cached("unreadable", &"x".repeat(usize::try_from(size).unwrap()))
        .await;
    let sound = rig.cached("sound", "sound").await;
    rig.lose(&entry.object).await;
    std::fs::create_dir_all(rig.file(&entry.object).join("in it")).unwrap();
    let report = rig.run(REHASH).await;
    assert_eq!(report.exit_code(), 1);
    assert!(report.findings[0].detail.contains("cannot be read"), "{report:?}");
    assert_eq!(
        rig.found(REHASH).await,
        [(Damage::WrongDigest, entry.object.to_string())]
    );
    assert_eq!(report.checked.rehashed, sound.size);
    let repaired = rig.run(REPAIR).await;
    assert_eq!(repaired.exit_code(), 0, "{repaired:?}");
    assert!(
        repaired.findings[0].detail.contains("cannot be removed"),
        "{repaired:?}"
    );
    assert_eq!(rig.entry(&entry).await, None);
}

#[tokio::test]
async fn a_repair_removes_leftovers_and_forgets_damaged_copies() {
    let rig = Rig::new().await;
    let sound = rig.cached("sound", "sound").await;
    let planted = rig.all().await;
    let report = rig.run(REPAIR).await;
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.kind, finding.name.clone()))
        .collect();
    assert_eq!(found, planted);
    let left: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| !finding.repaired)
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(
        left[0].kind,
        Damage::DanglingEntry,
        "hosted bytes cannot be fetched again"
    );
    assert_eq!(report.exit_code(), 1);
    assert_eq!(
        rig.found(REHASH).await,
        [(Damage::DanglingEntry, "files/dir/dangling".to_owned())]
    );
    assert_eq!(rig.entry(&sound).await, Some(sound));
    for path in ["missing", "short", "flipped"] {
        let id = EntryKey::new(rig.repo, Key::new(path).unwrap());
        assert_eq!(rig.stores.catalog.entry(&id).await.unwrap(), None, "{path}");
    }
}

#[tokio::test]
async fn a_repair_leaves_alone_what_is_young() {
    let mut rig = Rig::new().await;
    rig.stores.clock = artifactapi_core::clock::SystemClock::shared();
    let planted = vec![
        rig.object_without_row().await,
        rig.stale_spool(),
        rig.half_written(),
    ];
    let report = rig.run(REPAIR).await;
    assert!(
        report.findings.iter().all(|finding| !finding.repaired),
        "{report:?}"
    );
    assert!(report.findings[0].detail.contains("young"));
    assert_eq!(rig.found(READ).await, planted);
    let at_once = Options {
        grace: Duration::ZERO,
        ..REPAIR
    };
    assert!(
        rig.run(at_once)
            .await
            .findings
            .iter()
            .all(|finding| finding.repaired)
    );
    assert!(rig.run(READ).await.is_clean());
}

#[tokio::test]
async fn damaged_hosted_bytes_wait_for_their_publisher() {
    let rig = Rig::new().await;
    let entry = rig.put("wheel", "0123456780", Lifetime::Hosted).await;
    rig.write(&entry.object, "0123456781").await;
    let report = rig.run(REPAIR).await;
    assert_eq!(report.exit_code(), 1);
    assert!(report.findings[0].detail.contains("1 hosted"), "{report:?}");
    let left = rig.found(READ).await;
    let link = (Damage::DanglingEntry, "files/wheel".to_owned());
    let orphan = (Damage::ObjectWithoutRow, entry.object.to_string());
    assert_eq!(left, [link, orphan]);
    let again = rig.put("wheel", "0123456780", Lifetime::Hosted).await;
    assert_ne!(again.object, entry.object);
    assert_eq!(rig.run(REPAIR).await.exit_code(), 0);
    assert!(rig.run(REHASH).await.is_clean());
}

#[tokio::test]
async fn it_reads_beside_a_server_that_writes() {
    let rig = Rig::new().await;
    let beside = Stores {
        catalog: Arc::new(
            Sqlite::open_read_only(&rig.dir.path().join("catalog.db"))
                .await
                .unwrap(),
        ),
        blobs: rig.stores.blobs.clone(),
        spools: rig.stores.spools.clone(),
        clock: artifactapi_core::clock::SystemClock::shared(),
    };
    let work = async {
        for n in 0..60 {
            let entry = rig.cached("churn", &format!("{n}")).await;
            if n % 3 == 0 {
                rig.stores
                    .catalog
                    .remove(&[(entry.id, None)], false)
                    .await
                    .unwrap();
            }
            for row in rig
                .stores
                .catalog
                .begin_deleting(Time(i64::MAX), 10)
                .await
                .unwrap()
            {
                rig.stores.blobs.delete(&row.object).await.unwrap();
                rig.stores
                    .catalog
                    .end_deleting(&row.digest, &row.object)
                    .await
                    .unwrap();
            }
        }
    };
    let check = async {
        for _ in 0..10 {
            let report = fsck(&beside, &REHASH).await.unwrap();
            assert_eq!(report.exit_code(), 0, "{report:?}");
        }
    };
    tokio::join!(work, check);
    assert!(fsck(&beside, &REHASH).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_check_that_cannot_run_is_a_fault() {
    let rig = Rig::new().await;
    std::fs::write(rig.dir.path().join("spool"), b"a file where the folder should be").unwrap();
    let fault = fsck(&rig.stores, &READ).await.unwrap_err();
    assert_eq!(fault.kind, Kind::StoreUnavailable);
}

#[tokio::test]
async fn reports_are_documents() {
    let rig = Rig::new().await;
    let (_, object) = rig.missing_object(Lifetime::Immutable).await;
    let document = serde_json::to_value(rig.run(READ).await).unwrap();
    let wanted = serde_json::json!({
        "findings": [{
            "kind": "missing_object",
            "name": object,
            "detail": "1 entry names it",
            "damage": true,
            "repaired": false,
        }],
        "checked": { "rows": 1, "objects": 0, "bytes": 0, "rehashed": 0 },
    });
    assert_eq!(document, wanted);
}
