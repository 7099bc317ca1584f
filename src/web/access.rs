//! Who is who: the admin token, how it comes about and how it is checked.
//!
//! Only a hash of it is kept in memory and in the catalog. A token that is configured takes precedence; otherwise one
//! is made at the first start and left in a file that only its owner can read.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use artifactapi_core::config;
use artifactapi_core::digest::Digest;
use artifactapi_core::fault::{Fault, Kind};
use artifactapi_core::port::catalog::Catalog;
use artifactapi_core::repository::Secret;
use artifactapi_engine::exchange::Access;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::TryRngCore as _;

/// Under this name the catalog keeps the hash of the admin token that was made at the first start.
const SETTING: &str = "admin_token_sha256";
/// The file of the data folder that holds the token made at the first start.
pub const TOKEN_FILE: &str = "admin-token";
/// What begins every token that is made here, so that scanners for leaked secrets find it.
const PREFIX: &str = "aat_";
/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// The tokens that are in force, hashed.
#[derive(Clone, Debug)]
pub struct Tokens {
    admin: Digest,
}

/// A token that was made just now.
pub struct Made {
    /// The token, to be shown once, on a terminal only.
    pub token: Secret,
    /// The file that holds it.
    pub file: PathBuf,
}

impl Tokens {
    /// The admin token alone.
    pub fn of(admin: &Secret) -> Self {
        Self {
            admin: Digest::sha256(admin.0.as_bytes()),
        }
    }

    /// Who asks, by the `Authorization` field of a request for a repository. An unknown token is nobody, since
    /// clients send the credentials of other registries to every host.
    ///
    /// Clients of packages often know Basic only (RFC 7617): the token is then the password.
    pub fn judge(&self, authorization: Option<&str>) -> Access {
        let presented =
            authorization.and_then(|field| bearer(field).map(str::to_owned).or_else(|| basic(field)));
        self.known(presented.as_deref())
    }

    /// Whether the `Authorization` field bears the admin token (RFC 6750). Basic is refused here, since browsers
    /// repeat it on their own.
    pub fn is_admin(&self, authorization: Option<&str>) -> bool {
        self.known(authorization.and_then(bearer)) == Access::Admin
    }

    fn known(&self, token: Option<&str>) -> Access {
        match token {
            Some(token) if same(&Digest::sha256(token.as_bytes()), &self.admin) => Access::Admin,
            _ => Access::Anonymous,
        }
    }
}

/// Compares two hashes in a time that does not depend on where they differ.
fn same(a: &Digest, b: &Digest) -> bool {
    let differing = a
        .hex()
        .bytes()
        .zip(b.hex().bytes())
        .fold(0, |sum, (a, b)| sum | (a ^ b));
    differing == 0 && a.hex().len() == b.hex().len()
}

fn scheme<'a>(field: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, rest) = field.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case(name).then(|| rest.trim())
}

fn bearer(field: &str) -> Option<&str> {
    scheme(field, "bearer")
}

fn basic(field: &str) -> Option<String> {
    let decoded = STANDARD.decode(scheme(field, "basic")?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}

/// The tokens in force. Without a configured one, and without one made earlier, a token is made and written to
/// `data_dir`.
pub async fn bootstrap(
    catalog: &dyn Catalog,
    settings: &config::Access,
    data_dir: &Path,
) -> Result<(Tokens, Option<Made>), Fault> {
    if let Some(token) = &settings.admin_token {
        return Ok((Tokens::of(token), None));
    }
    if let Some(hash) = catalog.setting(SETTING).await? {
        return Ok((
            Tokens {
                admin: stored(&hash)?,
            },
            None,
        ));
    }
    let token = make()?;
    let file = data_dir.join(TOKEN_FILE);
    // The file comes first: a crash in between leaves a file that is written again, never a hash of a lost token.
    write(&file, &token)
        .map_err(|e| Fault::ours(Kind::StoreUnavailable, "the admin token cannot be written", e))?;
    let hash = Digest::sha256(token.0.as_bytes());
    let holds = stored(&catalog.settle(SETTING, &hash.to_string()).await?)?;
    if holds != hash {
        // Another replica made one at the same time: its token is in force, and the one made here never was.
        std::fs::remove_file(&file)
            .map_err(|e| Fault::ours(Kind::StoreUnavailable, "a token that is not in force stays", e))?;
        return Ok((Tokens { admin: holds }, None));
    }
    Ok((Tokens { admin: hash }, Some(Made { token, file })))
}

fn stored(hash: &str) -> Result<Digest, Fault> {
    hash.parse().map_err(|e| {
        Fault::ours(
            Kind::StoreUnavailable,
            "the catalog's hash of the admin token is damaged",
            e,
        )
    })
}

fn make() -> Result<Secret, Fault> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::rngs::OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|e| Fault::ours(Kind::Internal, "the system gives no random numbers", e))?;
    Ok(Secret(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))))
}

/// Writes a file that nobody else can read at any moment, and replaces what was there at once.
fn write(file: &Path, token: &Secret) -> std::io::Result<()> {
    let draft = file.with_extension("new");
    let removed = std::fs::remove_file(&draft);
    if let Err(error) = removed.as_ref()
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return removed;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut open = options.write(true).create_new(true).mode(0o600).open(&draft)?;
    writeln!(open, "{}", token.0)?;
    open.sync_all()?;
    std::fs::rename(&draft, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn tokens() -> Tokens {
        Tokens::of(&Secret("correct-horse".into()))
    }

    #[test]
    fn the_token_is_known_as_bearer_and_as_a_password() {
        for field in [
            "Bearer correct-horse",
            "bearer  correct-horse",
            "Basic eDpjb3JyZWN0LWhvcnNl",
        ] {
            assert_eq!(tokens().judge(Some(field)), Access::Admin, "{field}");
        }
    }

    #[test]
    fn anything_else_is_nobody() {
        for field in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("Bearer correct-hors"),
            Some("Bearer correct-horse2"),
            Some("Token correct-horse"),
            Some("Basic !!!"),
            Some("Basic eDp3cm9uZw=="),
        ] {
            assert_eq!(tokens().judge(field), Access::Anonymous, "{field:?}");
        }
    }

    #[test]
    fn the_admin_api_takes_no_password() {
        assert!(tokens().is_admin(Some("Bearer correct-horse")));
        assert!(!tokens().is_admin(Some("Basic eDpjb3JyZWN0LWhvcnNl")));
        assert!(!tokens().is_admin(None));
    }

    #[test]
    fn made_tokens_differ_and_their_file_is_private() {
        let (one, two) = (make().unwrap(), make().unwrap());
        assert!(one != two && one.0.starts_with(PREFIX) && one.0.len() > 40);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(TOKEN_FILE);
        std::fs::write(file.with_extension("new"), "left behind").unwrap();
        write(&file, &one).unwrap();
        write(&file, &two).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), two.0);
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
