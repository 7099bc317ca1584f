use std::os::unix::fs::PermissionsExt as _;

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use tempfile::TempDir;

use super::*;

const PLACE: Place<'static> = Place {
    owner: "r1",
    field: "password",
};

/// A key whose base64 differs between the alphabets.
fn key(number: u8) -> String {
    STANDARD.encode([0xfb ^ number; 32])
}

fn vault(text: &str) -> Vault {
    Vault::given(&Secret(text.to_owned())).unwrap()
}

fn secret(text: &str) -> Secret {
    Secret(text.to_owned())
}

fn opened(text: &str, first: bool) -> Content {
    Content::Opened {
        secret: secret(text),
        first,
    }
}

#[test]
fn what_is_sealed_opens_in_its_place_alone() {
    let vault = vault(&key(1));
    for text in ["", "hunter2", "pässwörd", &"long".repeat(1000)] {
        let sealed = vault.seal(&PLACE, &secret(text)).unwrap();
        assert!(sealed.is_sealed() && sealed.0.starts_with(&format!("sealed:1:{}:", vault.key())));
        assert!(text.is_empty() || !sealed.0.contains(text));
        assert_eq!(vault.open(&PLACE, &sealed), opened(text, true));
        for (owner, field) in [("r2", "password"), ("r1", "token"), ("r1/password", "")] {
            let shut = vault.open(&Place { owner, field }, &sealed);
            assert!(
                matches!(shut, Content::Shut { known: true, .. }),
                "{owner} {field}"
            );
        }
    }
}

#[test]
fn the_same_secret_is_never_sealed_alike() {
    let vault = vault(&key(1));
    let seal = || vault.seal(&PLACE, &secret("hunter2")).unwrap();
    assert_ne!(seal(), seal());
}

#[test]
fn every_change_of_the_text_is_noticed() {
    let vault = vault(&key(1));
    let sealed = vault.seal(&PLACE, &secret("hunter2")).unwrap().0;
    for at in SEALED.len()..sealed.len() {
        let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
        let flipped = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
        assert!(
            matches!(vault.open(&PLACE, &secret(&flipped)), Content::Shut { .. }),
            "{at}"
        );
        assert!(
            matches!(vault.open(&PLACE, &secret(&sealed[..at])), Content::Shut { .. }),
            "{at}"
        );
    }
    assert_eq!(vault.open(&PLACE, &secret("hunter2")), Content::Plain);
}

#[test]
fn another_key_opens_nothing_and_is_told_which_one_would() {
    let (one, two) = (vault(&key(1)), vault(&key(2)));
    let sealed = one.seal(&PLACE, &secret("hunter2")).unwrap();
    let shut = Content::Shut {
        key: one.key(),
        known: false,
    };
    assert_eq!(two.open(&PLACE, &sealed), shut);
    let both = vault(&format!("{}\n{}", key(2), key(1)));
    assert_eq!(both.open(&PLACE, &sealed), opened("hunter2", false));
    assert_eq!(both.key(), two.key());
}

#[test]
fn keys_are_read_in_every_spelling_of_base64() {
    let bytes = [0xfb; 32];
    let spelled = [
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
    ];
    let ids = spelled.iter().map(|text| vault(text).key());
    let ids: std::collections::BTreeSet<_> = ids.collect();
    assert_eq!(ids.len(), 1);
    assert!(
        ids.iter()
            .all(|id| id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit()))
    );
    let file = format!(
        "# new\n  {}  {}\n\n{} # old\r\n# {}",
        key(1),
        key(1),
        key(2),
        key(3)
    );
    let several = vault(&file);
    assert_eq!(several.key(), vault(&key(1)).key());
    let from = |number| vault(&key(number)).seal(&PLACE, &secret("x")).unwrap();
    assert_eq!(several.open(&PLACE, &from(2)), opened("x", false));
    assert!(matches!(several.open(&PLACE, &from(3)), Content::Shut { .. }));
}

#[test]
fn what_is_no_key_is_named_by_its_place_and_not_shown() {
    for (text, complaint) in [
        ("", "holds no key"),
        ("# c2VjcmV0", "holds no key"),
        ("c2VjcmV0", "key 1 of"),
        (&format!("{} c2VjcmV0", key(1)), "key 2 of"),
        ("not!base64", "key 1 of"),
    ] {
        let fault = Vault::given(&secret(text)).unwrap_err();
        let said = format!("{fault:?}");
        assert!(
            said.contains(complaint) && said.contains("ARTIFACTAPI_SECRET_KEY"),
            "{said}"
        );
        assert!(!said.contains("c2VjcmV0") && !said.contains("not!"), "{said}");
    }
    let shown = format!("{:?}", vault(&key(1)));
    assert!(!shown.contains(&key(1)), "{shown}");
}

#[test]
fn our_own_key_is_made_once_and_is_private() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(KEY_FILE);
    let (one, two) = (Vault::own(&file).unwrap(), Vault::own(&file).unwrap());
    assert!(!file.exists(), "nothing was sealed yet");
    let sealed = one.seal(&PLACE, &secret("hunter2")).unwrap();
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    // Whoever made up another key meanwhile takes the one that came first.
    assert_eq!(two.open(&PLACE, &sealed), opened("hunter2", true));
    let made = std::fs::read(&file).unwrap();
    let again = Vault::own(&file).unwrap().seal(&PLACE, &secret("x")).unwrap();
    assert_eq!(one.open(&PLACE, &again), opened("x", true));
    assert_eq!(std::fs::read(&file).unwrap(), made);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn two_first_starts_at_once_end_with_one_key() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(KEY_FILE);
    let (one, two) = (Vault::own(&file).unwrap(), Vault::own(&file).unwrap());
    let (a, b) = std::thread::scope(|scope| {
        let a = scope.spawn(|| one.seal(&PLACE, &secret("a")).unwrap());
        let b = scope.spawn(|| two.seal(&PLACE, &secret("b")).unwrap());
        (a.join().unwrap(), b.join().unwrap())
    });
    let later = Vault::own(&file).unwrap();
    assert_eq!(later.open(&PLACE, &a), opened("a", true));
    assert_eq!(later.open(&PLACE, &b), opened("b", true));
}

#[test]
fn a_changed_file_counts_from_the_next_use_on() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, key(1)).unwrap();
    let ours = Vault::read(&file).unwrap();
    let old = ours.seal(&PLACE, &secret("old")).unwrap();
    let theirs = vault(&key(2)).seal(&PLACE, &secret("theirs")).unwrap();
    std::fs::write(&file, format!("{}\n{}", key(1), key(2))).unwrap();
    assert_eq!(
        ours.open(&PLACE, &theirs),
        opened("theirs", false),
        "an unknown key is looked up"
    );
    // The old key is taken away too early: it goes on opening in this process.
    std::fs::write(&file, key(2)).unwrap();
    let new = ours.seal(&PLACE, &secret("new")).unwrap();
    assert_eq!(ours.open(&PLACE, &new), opened("new", true));
    assert_eq!(ours.open(&PLACE, &old), opened("old", false));
    // A file that is being written, or that went away, changes nothing.
    std::fs::write(&file, "half").unwrap();
    assert_eq!(
        ours.seal(&PLACE, &secret("x")).unwrap().0.get(9..17),
        Some(ours.key().as_str())
    );
    assert!(ours.reread().is_err());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(ours.open(&PLACE, &new), opened("new", true));
}

#[test]
fn settings_say_where_keys_are() {
    let folder = TempDir::new().unwrap();
    let mut store = config::Store {
        data_dir: folder.path().to_owned(),
        ..config::Store::default()
    };
    let fault = Vault::of(&store, false).unwrap_err();
    assert!(
        fault.what.contains("ARTIFACTAPI_SECRET_KEY,") && fault.what.contains("ARTIFACTAPI_SECRET_KEY_FILE")
    );
    Vault::of(&store, true)
        .unwrap()
        .seal(&PLACE, &secret("x"))
        .unwrap();
    assert!(folder.path().join(KEY_FILE).is_file());
    store.secret_key_file = Some(folder.path().join("none"));
    let fault = Vault::of(&store, true).unwrap_err();
    assert!(fault.what.contains("none"), "{fault:?}");
    store.secret_key = Some(secret(&key(1)));
    assert_eq!(Vault::of(&store, false).unwrap().key(), vault(&key(1)).key());
    assert!(
        !vault(&key(1)).reread().unwrap(),
        "there is nothing to read again"
    );
}

#[test]
fn a_catalog_of_other_keys_is_refused() {
    let check = vault(&key(1)).seal(&CHECK, &secret(CHECK_NAME)).unwrap();
    vault(&format!("{} {}", key(2), key(1))).check(&check.0).unwrap();
    let fault = vault(&key(2)).check(&check.0).unwrap_err();
    let id = vault(&key(1)).key();
    assert!(
        fault.what.contains(&id) && fault.what.contains("ARTIFACTAPI_SECRET_KEY"),
        "{fault:?}"
    );
    let folder = TempDir::new().unwrap();
    let file = folder.path().join(KEY_FILE);
    let fault = Vault::own(&file).unwrap().check(&check.0).unwrap_err();
    assert!(
        fault.what.contains("is missing") && fault.what.contains(KEY_FILE),
        "{fault:?}"
    );
    assert!(!file.exists(), "no other key takes its place");
}
