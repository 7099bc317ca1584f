//! The vault: how secrets of repositories rest in a catalog. Sealed text tells who reads the database nothing, and
//! cannot be moved to another repository or field.
//!
//! A sealed secret is `sealed:1:<key id>:<base64url of nonce, ciphertext and tag>`: ChaCha20-Poly1305 with a random
//! nonce, and its place as associated data. There may be several keys: the first seals, all open. A key that was known
//! once opens until the process ends, so that a key file that is changed too early costs nothing.
//!
//! It does not hide how long a secret is, and guards nothing from who has the keys.

mod keys;
mod source;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use artifactapi_core::config;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::repository::{SEALED, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use self::keys::{Key, Keys, Unopened};
use self::source::Source;

pub use self::source::KEY_FILE;

/// Seals and opens secrets; see the module.
pub struct Vault {
    source: Source,
    keys: ArcSwap<Keys>,
}

/// A secret as it rests, in the light of the keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// It is not sealed.
    Plain,
    /// What was sealed.
    Opened {
        /// The secret.
        secret: Secret,
        /// Whether it was the first key that sealed it.
        first: bool,
    },
    /// No key opens it.
    Shut {
        /// The id of the key that sealed it.
        key: String,
        /// Whether there is a key of this id: then the text was changed, or comes from another place.
        known: bool,
    },
}

impl Vault {
    /// The vault of a server's settings. Where its catalog lies in the data folder (`embedded`), a key is made there if
    /// none is given; a catalog that others share needs one that is given to all of them.
    pub fn of(store: &config::Store, embedded: bool) -> Result<Self, Fault> {
        match (&store.secret_key, &store.secret_key_file) {
            (Some(text), _) => Self::given(text),
            (None, Some(file)) => Self::read(file),
            (None, None) if embedded => Self::own(&store.data_dir.join(KEY_FILE)),
            (None, None) => Err(source::missing()),
        }
    }

    /// A vault with keys from the settings.
    pub fn given(text: &Secret) -> Result<Self, Fault> {
        let keys = Keys::parse(&text.0, source::SETTING)?;
        Ok(Self::with(Source::Given, keys))
    }

    /// A vault with keys from a file, which may change while it is in use.
    pub fn read(file: &Path) -> Result<Self, Fault> {
        let keys = source::read(file)?;
        Ok(Self::with(Source::File(file.to_owned()), keys))
    }

    /// A vault with the keys of a file of our own. If it is missing, a key is made, and the file as soon as something
    /// is sealed.
    pub fn own(file: &Path) -> Result<Self, Fault> {
        let keys = match source::read_if_there(file)? {
            Some(keys) => keys,
            None => Keys::of(Key::random()?),
        };
        Ok(Self::with(Source::Own(file.to_owned()), keys))
    }

    fn with(source: Source, keys: Keys) -> Self {
        Self {
            source,
            keys: ArcSwap::from_pointee(keys),
        }
    }

    /// Seals a secret for a place with the first key, which is durable before it is used.
    pub(crate) fn seal(&self, place: &Place<'_>, secret: &Secret) -> Result<Secret, Fault> {
        self.fresh()?;
        let key = Arc::clone(self.keys.load().first());
        let sealed = key.seal(place.to_string().as_bytes(), secret.0.as_bytes())?;
        let text = format!("{SEALED}{}:{}", key.id(), URL_SAFE_NO_PAD.encode(sealed));
        Ok(Secret(text))
    }

    /// Opens what rests in a place. An unknown key is looked for in the key file, which may have got it meanwhile.
    pub(crate) fn open(&self, place: &Place<'_>, resting: &Secret) -> Content {
        let content = self.try_open(place, resting);
        match &content {
            Content::Shut { known: false, .. } => match self.reread() {
                Ok(true) => self.try_open(place, resting),
                Ok(false) => content,
                Err(fault) => {
                    log::warn!("the key file is not read again: {fault:?}");
                    content
                }
            },
            _ => content,
        }
    }

    fn try_open(&self, place: &Place<'_>, resting: &Secret) -> Content {
        let Some(rest) = resting.0.strip_prefix(SEALED) else {
            return Content::Plain;
        };
        let (id, text) = rest.split_once(':').unwrap_or((rest, ""));
        let sealed = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let (keys, place) = (self.keys.load(), place.to_string());
        match keys.open(id, place.as_bytes(), &sealed) {
            Ok((bytes, first)) => Content::Opened {
                secret: Secret(String::from_utf8_lossy(&bytes).into_owned()),
                first,
            },
            Err(why) => Content::Shut {
                key: id.chars().take(keys::ID).collect(),
                known: why == Unopened::Damaged,
            },
        }
    }

    /// The id of the key that seals.
    pub fn key(&self) -> String {
        self.keys.load().first().id().to_owned()
    }

    /// Reads the key file again; `false` where there is none, because the keys stand in the settings. Keys that are not
    /// in it any more still open.
    pub fn reread(&self) -> Result<bool, Fault> {
        let keys = match &self.source {
            Source::Given => return Ok(false),
            Source::File(file) => Some(source::read(file)?),
            Source::Own(file) => source::read_if_there(file)?,
        };
        if let Some(keys) = keys {
            self.keys.rcu(|known| keys.clone().beside(known));
        }
        Ok(true)
    }

    /// Takes note of a changed key file before something is sealed, and makes our own.
    fn fresh(&self) -> Result<(), Fault> {
        if let Err(fault) = self.reread() {
            log::warn!("the key file is not read again: {fault:?}");
        }
        if let Source::Own(file) = &self.source
            && !file.exists()
        {
            source::make(file, self.keys.load().first())?;
            // Another process may have been first.
            self.reread()?;
        }
        Ok(())
    }

    /// Whether its key was made just now and sealed nothing yet.
    pub(crate) fn is_new(&self) -> bool {
        self.lost_file().is_some()
    }

    /// The file of our own that the keys should be in, if it is not there.
    fn lost_file(&self) -> Option<&PathBuf> {
        match &self.source {
            Source::Own(file) if !file.exists() => Some(file),
            _ => None,
        }
    }

    /// Refuses a catalog whose check value none of the keys opens.
    pub(crate) fn check(&self, value: &str) -> Result<(), Fault> {
        let Content::Shut { key, .. } = self.open(&CHECK, &Secret(value.to_owned())) else {
            return Ok(());
        };
        let refused = |what: String| Err(Fault::new(Kind::StoreUnavailable, what));
        match self.lost_file() {
            Some(file) => refused(format!(
                "the secrets of this catalog are sealed with the key {key}, and its file {} is missing: put it back",
                file.display()
            )),
            None => refused(format!(
                "none of the keys of {} opens the secrets of this catalog, which are sealed with the key {key}: add that key",
                self.source
            )),
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Vault({}, sealing with {})", self.source, self.key())
    }
}

/// Where a secret rests.
pub(crate) struct Place<'a> {
    /// The repository, or what else it belongs to.
    pub(crate) owner: &'a str,
    /// The field.
    pub(crate) field: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "artifactapi/{}/{}", self.owner, self.field)
    }
}

/// The name of the setting by which a catalog knows its keys.
pub(crate) const CHECK_NAME: &str = "secret_key_check";
/// Where that setting rests.
pub(crate) const CHECK: Place<'static> = Place {
    owner: "settings",
    field: CHECK_NAME,
};

#[cfg(test)]
mod tests;
