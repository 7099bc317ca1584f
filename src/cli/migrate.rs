//! `migrate`: brings the catalog to this version's form, without serving; or moves an installation to other stores.

use std::path::{Path, PathBuf};

use artifactapi::{Stores, moving};
use artifactapi_core::config::Config;
use artifactapi_store::vault::KEY_FILE;

use super::machine::Machine;
use super::out::{remark, say};
use super::settings::Layers;
use super::{Failure, examples};

/// Bring the catalog to this version's form, or move an installation to other stores
///
/// `serve` brings the catalog to its form at its start, too; this is for those who want it done before.
///
/// A move carries everything but takes nothing away: objects, then rows, then everything is read again and compared. No
/// server may use either side meanwhile. One that was interrupted goes on where it was when it is begun again.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = examples!(
    "artifactapi migrate --data-dir /var/lib/artifactapi" => "no server may run on the folder meanwhile",
    "artifactapi migrate --import-from /var/lib/artifactapi" => "move that folder to the servers that the settings name",
    "artifactapi migrate --export-to /srv/embedded" => "move it from those servers into a folder",
))]
pub(crate) struct Args {
    #[command(flatten)]
    layers: Layers,

    /// Move the embedded installation in this folder to the stores of the settings
    #[arg(long, value_name = "DIR", conflicts_with = "export_to")]
    import_from: Option<PathBuf>,

    /// Move the installation in the stores of the settings into this folder
    #[arg(long, value_name = "DIR")]
    export_to: Option<PathBuf>,
}

/// Runs the command.
pub(crate) async fn run(args: &Args, machine: &Machine) -> Result<(), Failure> {
    let config = args.layers.load(machine)?.config;
    match (&args.import_from, &args.export_to) {
        (Some(folder), _) => moved(&embedded(&config, folder, true)?, &config).await,
        (None, Some(folder)) => moved(&config, &embedded(&config, folder, false)?).await,
        (None, None) => {
            let stores = Stores::open(&config).await?;
            say(format!("the catalog ({}) is up to date", stores.catalog.kind()));
            stores.close().await;
            Ok(())
        }
    }
}

/// The settings of an installation that lies in a folder with all its parts.
fn embedded(config: &Config, folder: &Path, there: bool) -> Result<Config, Failure> {
    if there && !folder.join("catalog.sqlite").is_file() {
        return Err(Failure::new(format!("{} holds no catalog", folder.display())));
    }
    if same(folder, &config.store.data_dir) {
        let what =
            "the settings mean the same folder: name another with --data-dir, for what this machine keeps";
        return Err(Failure::new(what));
    }
    let mut all = Config {
        cache: config.cache.clone(),
        gc: config.gc.clone(),
        ..Config::default()
    };
    folder.clone_into(&mut all.store.data_dir);
    if there && !folder.join(KEY_FILE).is_file() {
        // It was served with keys of the settings.
        all.store.secret_key.clone_from(&config.store.secret_key);
        all.store
            .secret_key_file
            .clone_from(&config.store.secret_key_file);
    }
    Ok(all)
}

fn same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

async fn moved(from: &Config, to: &Config) -> Result<(), Failure> {
    let (source, target) = (Stores::open(from).await?, Stores::open(to).await?);
    let done = moving::carry(&source, &target, |so_far| {
        remark(format!(
            "{} objects carried, {} bytes; {} were there",
            so_far.objects, so_far.bytes, so_far.present
        ));
    });
    let done = done.await;
    source.close().await;
    target.close().await;
    let moved = done?;
    for (table, rows) in &moved.rows {
        say(format!("{table}: {rows} new"));
    }
    say(format!(
        "objects: {} carried, {} bytes; {} were there",
        moved.objects.objects, moved.objects.bytes, moved.objects.present
    ));
    super::fsck::say_all(&moved.report);
    match moved.report.exit_code() {
        0 => Ok(()),
        damaged => Err(Failure::with_code("what has arrived is damaged", damaged)),
    }
}

#[cfg(test)]
mod tests {
    use artifactapi_core::repository::Secret;

    use super::*;

    #[test]
    fn a_folder_without_a_key_of_its_own_is_opened_with_those_of_the_settings() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("catalog.sqlite"), "").unwrap();
        let mut config = Config::default();
        config.store.secret_key = Some(Secret("key".to_owned()));
        let given = |there| {
            embedded(&config, folder.path(), there)
                .ok()
                .unwrap()
                .store
                .secret_key
        };
        assert!(given(true).is_some() && given(false).is_none());
        std::fs::write(folder.path().join(KEY_FILE), "its own").unwrap();
        assert!(given(true).is_none());
    }
}
