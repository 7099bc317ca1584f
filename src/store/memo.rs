//! Memos: a bounded folder of bytes that can be made again, each under the digest of what it is made of.
//!
//! Nothing in it is promised: the longest unused goes first, and what cannot be written is not kept. But what it gives is
//! what was put: each file begins with the digest of the rest, and a damaged one is removed.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use artifactapi_core::digest::Digest;
use bytes::Bytes;

use crate::folder::gone_is_none;

/// Digits of the digest that a file begins with, and that its name is.
const DIGITS: usize = 64;

/// The folder. All calls block for as long as a local disk takes.
#[derive(Debug)]
pub struct Memos {
    dir: PathBuf,
    most: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    files: HashMap<String, Kept>,
    bytes: u64,
    /// Counts uses.
    uses: u64,
}

#[derive(Debug)]
struct Kept {
    bytes: u64,
    /// When it was last used, in uses of all.
    used: u64,
}

impl Memos {
    /// Opens the folder `dir`, made if it is missing, for at most `most` bytes. It belongs to this process alone.
    pub fn open(dir: PathBuf, most: u64) -> io::Result<Self> {
        fs::create_dir_all(&dir)?;
        let memos = Self {
            dir,
            most,
            known: Mutex::default(),
        };
        let mut found = memos.found()?;
        found.sort_by_key(|(_, _, modified)| *modified);
        let mut known = memos.known();
        for (name, bytes, _) in found {
            known.add(name, bytes);
        }
        memos.make_room(&mut known, 0)?;
        drop(known);
        Ok(memos)
    }

    /// Names, sizes and times of the files; removes what a writer left that ended half-way.
    fn found(&self) -> io::Result<Vec<(String, u64, SystemTime)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let (name, meta) = (
                entry.file_name().to_string_lossy().into_owned(),
                entry.metadata()?,
            );
            if name.len() == DIGITS {
                found.push((name, meta.len(), meta.modified()?));
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(found)
    }

    /// What was put under a digest, if it is still there.
    pub fn get(&self, of: &Digest) -> Option<Bytes> {
        if !self.known().touch(of.hex()) {
            return None;
        }
        let file = fs::read(self.dir.join(of.hex())).ok().map(Bytes::from);
        let body = file.as_ref().and_then(whole);
        if body.is_none() {
            log::warn!(name = of.hex(); "a memo is damaged or gone, and made again");
            self.known().remove(of.hex());
        }
        body
    }

    /// Keeps bytes under a digest, if they fit.
    pub fn put(&self, of: &Digest, body: &[u8]) {
        if let Err(error) = self.write(of.hex(), body) {
            log::warn!("a memo is not kept: {error}");
        }
    }

    fn write(&self, name: &str, body: &[u8]) -> io::Result<()> {
        let bytes = (DIGITS + body.len()) as u64;
        let mut known = self.known();
        if bytes > self.most || known.files.contains_key(name) {
            return Ok(());
        }
        self.make_room(&mut known, bytes)?;
        let mut file = tempfile::Builder::new().suffix(".part").tempfile_in(&self.dir)?;
        file.write_all(Digest::sha256(body).hex().as_bytes())?;
        file.write_all(body)?;
        file.persist(self.dir.join(name)).map_err(|error| error.error)?;
        known.add(name.to_owned(), bytes);
        Ok(())
    }

    /// Removes the longest unused until so many bytes fit in.
    fn make_room(&self, known: &mut Known, bytes: u64) -> io::Result<()> {
        while known.bytes + bytes > self.most
            && let Some(name) = known.longest_unused()
        {
            gone_is_none(fs::remove_file(self.dir.join(&name)))?;
            known.remove(&name);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, name: String, bytes: u64) {
        self.uses += 1;
        self.bytes += bytes;
        let used = self.uses;
        self.files.insert(name, Kept { bytes, used });
    }

    fn remove(&mut self, name: &str) {
        if let Some(gone) = self.files.remove(name) {
            self.bytes -= gone.bytes;
        }
    }

    /// Whether there is such a file, which is used now.
    fn touch(&mut self, name: &str) -> bool {
        self.uses += 1;
        let used = self.uses;
        self.files.get_mut(name).map(|kept| kept.used = used).is_some()
    }

    fn longest_unused(&self) -> Option<String> {
        let oldest = self.files.iter().min_by_key(|(_, kept)| kept.used);
        oldest.map(|(name, _)| name.clone())
    }
}

/// What a file holds, if it is whole.
fn whole(file: &Bytes) -> Option<Bytes> {
    let (digest, body) = file.split_at_checked(DIGITS)?;
    let same = Digest::sha256(body).hex().as_bytes() == digest;
    same.then(|| file.slice(DIGITS..))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(n: u8) -> Digest {
        Digest::sha256(&[n])
    }

    fn memos(dir: &Path, most: u64) -> Memos {
        Memos::open(dir.join("memos"), most).unwrap()
    }

    #[test]
    fn what_was_put_is_given_also_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        memos(dir.path(), 1000).put(&of(1), b"one");
        let again = memos(dir.path(), 1000);
        assert_eq!(again.get(&of(1)).as_deref(), Some(&b"one"[..]));
        assert_eq!(again.get(&of(2)), None);
    }

    #[test]
    fn the_longest_unused_makes_room_and_what_is_too_large_is_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let memos = memos(dir.path(), 300);
        for n in 0..3 {
            memos.put(&of(n), &[n; 36]);
        }
        assert!(memos.get(&of(0)).is_some());
        memos.put(&of(3), &[3; 36]);
        memos.put(&of(4), &[4; 300]);
        let there = [0, 1, 2, 3, 4].map(|n| memos.get(&of(n)).is_some());
        assert_eq!(there, [true, false, true, true, false]);
    }

    #[test]
    fn a_smaller_bound_holds_from_the_next_start_on() {
        let dir = tempfile::tempdir().unwrap();
        let before = memos(dir.path(), 1000);
        for n in 0..3 {
            before.put(&of(n), &[n; 36]);
        }
        drop(before);
        memos(dir.path(), 0);
        assert_eq!(fs::read_dir(dir.path().join("memos")).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_is_not_given_and_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let memos = memos(dir.path(), 1000);
        memos.put(&of(1), b"one");
        fs::write(dir.path().join("memos").join(of(1).hex()), [b'0'; 80]).unwrap();
        assert_eq!(memos.get(&of(1)), None);
        memos.put(&of(1), b"one");
        assert_eq!(memos.get(&of(1)).as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn what_a_writer_left_half_done_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        drop(memos(dir.path(), 1000));
        fs::write(dir.path().join("memos/abc.part"), "half").unwrap();
        drop(memos(dir.path(), 1000));
        assert_eq!(fs::read_dir(dir.path().join("memos")).unwrap().count(), 0);
    }
}
