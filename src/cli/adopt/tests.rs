use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

/// A machine whose python prints what a pip of these settings would, and whose uv knows its default.
struct Desk {
    home: TempDir,
    machine: Machine,
}

/// Programs that stand in for the real ones. They lie in the tree: a script just written may be "busy" when it is run.
const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/adopt/fixtures");

impl Desk {
    fn new(env: &[(&str, &str)]) -> Self {
        let home = TempDir::new().unwrap();
        let path = format!("{PROGRAMS}:/usr/bin:/bin");
        let (pip, root) = (
            home.path().join("pip.conf"),
            home.path().to_str().unwrap().to_owned(),
        );
        let own = [
            ("PATH", path.as_str()),
            ("HOME", &root),
            ("XDG_CONFIG_DIRS", &root),
            ("PIP_CONFIG_FILE", pip.to_str().unwrap()),
        ];
        let machine = Machine::with(&[&own, env].concat());
        Self { home, machine }
    }

    fn pip_conf(&self) -> PathBuf {
        self.home.path().join("pip.conf")
    }

    fn uv_toml(&self) -> PathBuf {
        self.home.path().join(".config/uv/uv.toml")
    }

    fn edits(&self, url: &Url) -> Vec<Edit> {
        let pip = Pip::ask(&self.machine).unwrap();
        vec![
            pip.edit(&self.machine, url).unwrap(),
            Uv::edit(&self.machine, url).unwrap(),
        ]
    }

    fn apply(&self, url: &str) {
        let edits = self.edits(&url.parse().unwrap());
        Record::load(&self.machine)
            .unwrap()
            .apply(&self.machine, edits)
            .unwrap();
    }

    fn undo(&self) -> Result<Vec<PathBuf>, String> {
        Record::load(&self.machine).unwrap().undo(&self.machine)
    }
}

const CACHE: &str = "http://127.0.0.1:8000/api/v1/remote/pypi/simple/";

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[test]
fn where_nothing_is_set_the_clients_tell_their_own_defaults() {
    let desk = Desk::new(&[]);
    let (pip, uv) = (Pip::ask(&desk.machine).unwrap(), Uv::ask(&desk.machine).unwrap());
    assert_eq!(pip.index.url.as_str(), "https://default.example/simple");
    assert_eq!(pip.index.told_by, "pip's own default");
    assert!(uv.index.same_as(&pip.index));
}

#[test]
fn variables_win_over_files() {
    let desk = Desk::new(&[
        ("PIP_INDEX_URL", "https://me:secret@pip.example/simple"),
        ("UV_INDEX_URL", "https://uv.example/simple"),
    ]);
    fs::write(
        desk.pip_conf(),
        "[global]\nindex-url = https://file.example/simple\n",
    )
    .unwrap();
    let (pip, uv) = (Pip::ask(&desk.machine).unwrap(), Uv::ask(&desk.machine).unwrap());
    assert_eq!(pip.index.url.as_str(), "https://pip.example/simple");
    let settings = settings(&pip.index, Some(&pip)).unwrap();
    assert_eq!(
        (
            settings.username.as_deref(),
            settings.password.unwrap().0.as_str()
        ),
        (Some("me"), "secret")
    );
    assert_eq!(uv.index.told_by, "uv, by UV_INDEX_URL");
}

#[test]
fn apply_then_undo_gives_the_same_bytes() {
    let desk = Desk::new(&[]);
    let before = "# mine\n\n[global]\n  # kept\nindex-url = https://file.example/simple\ncert = /x\n[install]\nno-compile = 1";
    fs::write(desk.pip_conf(), before).unwrap();
    desk.apply(CACHE);
    assert_eq!(Pip::ask(&desk.machine).unwrap().index.url.as_str(), CACHE);
    assert_eq!(Uv::ask(&desk.machine).unwrap().index.url.as_str(), CACHE);
    assert_eq!(desk.undo().unwrap(), [desk.pip_conf(), desk.uv_toml()]);
    assert_eq!(text(&desk.pip_conf()).as_deref(), Some(before));
    assert_eq!(text(&desk.uv_toml()), None);
    assert_eq!(desk.undo().unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn a_second_apply_does_not_forget_what_was_there_first() {
    let desk = Desk::new(&[]);
    fs::write(desk.pip_conf(), "[global]\ncert = /x\n").unwrap();
    desk.apply(CACHE);
    desk.apply("http://cache.example:9000/api/v1/remote/pypi/simple/");
    assert!(
        text(&desk.pip_conf())
            .unwrap()
            .contains("trusted-host = cache.example:9000\n")
    );
    desk.undo().unwrap();
    assert_eq!(text(&desk.pip_conf()).as_deref(), Some("[global]\ncert = /x\n"));
}

#[test]
fn a_file_that_someone_changed_since_is_left_alone() {
    let desk = Desk::new(&[]);
    desk.apply(CACHE);
    fs::write(
        desk.pip_conf(),
        "[global]\nindex-url = https://other.example/simple\n",
    )
    .unwrap();
    assert!(desk.undo().unwrap_err().contains("was changed since"));
    assert!(
        text(&desk.uv_toml()).unwrap().contains(CACHE),
        "nothing was restored"
    );
    fs::remove_file(desk.pip_conf()).unwrap();
    assert_eq!(desk.undo().unwrap(), [desk.uv_toml()]);
}

#[test]
fn the_record_is_for_its_owner_alone() {
    let desk = Desk::new(&[]);
    desk.apply(CACHE);
    let mode = fs::metadata(Record::path(&desk.machine))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_private_authority_goes_into_the_remote_and_a_system_bundle_does_not() {
    let desk = Desk::new(&[]);
    let bundle = desk.home.path().join("ca.pem");
    fs::write(desk.pip_conf(), format!("cert = {}\n", bundle.display())).unwrap();
    let pip = Pip::ask(&desk.machine).unwrap();
    let carried = || settings(&pip.index, Some(&pip)).unwrap().ca_bundle;
    fs::write(&bundle, "-----BEGIN CERTIFICATE-----").unwrap();
    assert_eq!(carried().as_deref(), Some("-----BEGIN CERTIFICATE-----"));
    fs::write(&bundle, "x".repeat(100_000)).unwrap();
    assert_eq!(carried(), None);
}
