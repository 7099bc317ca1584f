//! The running server that a command speaks to: where it is and which token opens it.

use std::path::{Path, PathBuf};

use artifactapi::ADDRESS_FILE;
use artifactapi_api::client::Client;
use artifactapi_web::access::TOKEN_FILE;
use url::Url;

use super::Failure;
use super::machine::Machine;

/// Where a server listens when nobody says otherwise.
const DEFAULT: &str = "http://127.0.0.1:8000";

/// Which server, and where its data folder lies.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ServerArgs {
    /// Where the server listens; found in its data folder if left out [env: `ARTIFACTAPI_URL`]
    #[arg(long, value_name = "URL")]
    endpoint: Option<Url>,

    /// The server's data folder, for its address and its admin token
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl ServerArgs {
    /// The root of the server's URLs, with a slash at its end.
    pub(crate) fn endpoint(&self, machine: &Machine) -> Result<Url, Failure> {
        let named = || machine.var("ARTIFACTAPI_URL").map(str::to_owned);
        let noted = || named().or_else(|| note(&self.folder(machine), ADDRESS_FILE));
        let read = || noted().as_deref().unwrap_or(DEFAULT).parse();
        let mut url: Url = self
            .endpoint
            .clone()
            .map_or_else(read, Ok)
            .map_err(|error| Failure::new(format!("the server's address cannot be read: {error}")))?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(url)
    }

    /// A client with the admin token, from `ARTIFACTAPI_TOKEN` or the data folder.
    pub(crate) fn client(&self, machine: &Machine) -> Result<Client, Failure> {
        let given = machine
            .var("ARTIFACTAPI_TOKEN")
            .or_else(|| machine.var("ARTIFACTAPI_ADMIN_TOKEN"));
        let token = given
            .map(str::to_owned)
            .or_else(|| note(&self.folder(machine), TOKEN_FILE));
        Ok(Client::new(self.endpoint(machine)?, token))
    }

    fn folder(&self, machine: &Machine) -> PathBuf {
        let told = self.data_dir.clone();
        told.unwrap_or_else(|| machine.var("ARTIFACTAPI_DATA_DIR").unwrap_or("data").into())
    }
}

/// A small file of the data folder, trimmed.
fn note(folder: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(name)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_in_the_data_folder_is_used_unless_another_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let machine = Machine::with(&[("ARTIFACTAPI_DATA_DIR", folder.path().to_str().unwrap())]);
        let endpoint = || ServerArgs::default().endpoint(&machine).unwrap().to_string();
        assert_eq!(endpoint(), "http://127.0.0.1:8000/");
        std::fs::write(folder.path().join(ADDRESS_FILE), "http://127.0.0.1:8123\n").unwrap();
        assert_eq!(endpoint(), "http://127.0.0.1:8123/");
        let told = ServerArgs {
            endpoint: Some("https://cache.example/below".parse().unwrap()),
            data_dir: None,
        };
        assert_eq!(
            told.endpoint(&machine).unwrap().as_str(),
            "https://cache.example/below/"
        );
    }
}
