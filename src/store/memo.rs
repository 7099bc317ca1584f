//! Memos: a bounded folder of bytes that can be made again, each under the digest of what it is made of.
//!
//! Nothing in it is promised: the longest unused goes first, and what cannot be written is not kept. But what it gives is
//! what was put: each file begins with the digest of the rest, and a damaged one is removed.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use artifactapi_core::digest::Digest;
use bytes::Bytes;
use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};

use crate::folder::gone_is_none;

/// Digits of the digest that a file begins with, and that its name is.
const DIGITS: usize = 64;

/// A file was used now.
const NOW: Timestamps = Timestamps {
    last_access: Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_OMIT,
    },
    last_modification: Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    },
};

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
    /// Opens the folder `dir`, made if it is missing, for at most `most` bytes. It belongs to this process alone. One that
    /// cannot be used keeps nothing.
    pub fn open(dir: PathBuf, most: u64) -> Self {
        let mut memos = Self {
            dir,
            most,
            known: Mutex::default(),
        };
        if let Err(error) = memos.take_stock() {
            log::warn!("no memos are kept in {}: {error}", memos.dir.display());
            memos.most = 0;
        }
        memos
    }

    /// Learns what is there, and removes what is too much and what writers left that ended half-way.
    fn take_stock(&self) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let (name, meta) = (
                entry.file_name().to_string_lossy().into_owned(),
                entry.metadata()?,
            );
            if name.len() == DIGITS && meta.is_file() {
                found.push((meta.modified()?, name, meta.len()));
            } else if meta.is_file() {
                fs::remove_file(entry.path())?;
            }
        }
        found.sort();
        let mut known = self.known();
        for (_, name, bytes) in found {
            known.add(name, bytes);
        }
        self.make_room(&mut known, 0)
    }

    /// What was put under a digest, if it is still there.
    pub fn get(&self, of: &Digest) -> Option<Bytes> {
        let (used, file) = self.file(of.hex())?;
        let body = file.and_then(read);
        if body.is_err() {
            self.drop_damaged(of.hex(), used);
        }
        body.ok()
    }

    /// Opens a file that is known, so that no eviction takes it away; with the number of this use.
    fn file(&self, name: &str) -> Option<(u64, io::Result<File>)> {
        let mut known = self.known();
        let used = known.touch(name)?;
        Some((used, File::open(self.dir.join(name))))
    }

    /// Removes a file, unless it has been used, or even made anew, since then.
    fn drop_damaged(&self, name: &str, used: u64) {
        let mut known = self.known();
        if known.files.get(name).is_some_and(|kept| kept.used == used) {
            log::warn!(name = name; "a memo is damaged, and made again");
            fs::remove_file(self.dir.join(name)).ok();
            known.remove(name);
        }
    }

    /// Keeps bytes under a digest, if they fit.
    pub fn put(&self, of: &Digest, body: &[u8]) {
        if (DIGITS + body.len()) as u64 > self.most {
            return;
        }
        if let Err(error) = self.write(of.hex(), body) {
            log::warn!("a memo is not kept: {error}");
        }
    }

    fn write(&self, name: &str, body: &[u8]) -> io::Result<()> {
        let mut file = tempfile::Builder::new().suffix(".part").tempfile_in(&self.dir)?;
        file.write_all(Digest::sha256(body).hex().as_bytes())?;
        file.write_all(body)?;
        let (mut known, bytes) = (self.known(), (DIGITS + body.len()) as u64);
        if !known.files.contains_key(name) {
            self.make_room(&mut known, bytes)?;
            file.persist(self.dir.join(name)).map_err(|error| error.error)?;
            known.add(name.to_owned(), bytes);
        }
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

    /// Uses a file, if it is known; gives the number of the use.
    fn touch(&mut self, name: &str) -> Option<u64> {
        let kept = self.files.get_mut(name)?;
        self.uses += 1;
        kept.used = self.uses;
        Some(self.uses)
    }

    fn longest_unused(&self) -> Option<String> {
        let oldest = self.files.iter().min_by_key(|(_, kept)| kept.used);
        oldest.map(|(name, _)| name.clone())
    }
}

/// What a file holds, if it is whole.
fn read(mut file: File) -> io::Result<Bytes> {
    // The next start orders files by it; a file of another owner keeps its own.
    rustix::fs::futimens(&file, &NOW).ok();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.split_at_checked(DIGITS);
    if whole.is_none_or(|(digest, body)| Digest::sha256(body).hex().as_bytes() != digest) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Bytes::from(bytes).slice(DIGITS..))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn of(n: u8) -> Digest {
        Digest::sha256(&[n])
    }

    fn memos(dir: &Path, most: u64) -> Memos {
        Memos::open(dir.join("memos"), most)
    }

    /// A folder with three memos of a hundred bytes each.
    fn three(dir: &Path, most: u64) -> Memos {
        let memos = memos(dir, most);
        for n in 0..3 {
            memos.put(&of(n), &[n; 36]);
        }
        memos
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
        let memos = three(dir.path(), 300);
        assert!(memos.get(&of(0)).is_some());
        memos.put(&of(3), &[3; 36]);
        memos.put(&of(4), &[4; 300]);
        let there = [0, 1, 2, 3, 4].map(|n| memos.get(&of(n)).is_some());
        assert_eq!(there, [true, false, true, true, false]);
    }

    #[test]
    fn a_smaller_bound_holds_from_the_next_start_on() {
        let dir = tempfile::tempdir().unwrap();
        drop(three(dir.path(), 1000));
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
        assert!(!dir.path().join("memos").join(of(1).hex()).exists());
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

    #[test]
    fn what_is_no_file_is_left_alone_and_a_folder_that_cannot_be_used_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("memos/lost+found")).unwrap();
        let memos = memos(dir.path(), 1000);
        memos.put(&of(1), b"one");
        assert!(memos.get(&of(1)).is_some());
        fs::write(dir.path().join("file"), "").unwrap();
        let none = Memos::open(dir.path().join("file/memos"), 1000);
        none.put(&of(1), b"one");
        assert_eq!(none.get(&of(1)), None);
    }

    #[test]
    fn readers_and_writers_at_once_keep_the_bound_and_get_what_was_put() {
        let dir = tempfile::tempdir().unwrap();
        let memos = memos(dir.path(), 500);
        let work = |seed: u8| {
            for round in 0..200_u8 {
                let n = seed.wrapping_mul(31).wrapping_add(round) % 9;
                if let Some(body) = memos.get(&of(n)) {
                    assert_eq!(body, [n; 36][..]);
                }
                memos.put(&of(n), &[n; 36]);
            }
        };
        std::thread::scope(|scope| {
            for seed in 0..4 {
                scope.spawn(move || work(seed));
            }
        });
        let files = fs::read_dir(dir.path().join("memos")).unwrap();
        let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        assert!(bytes <= 500, "{bytes}");
        assert_eq!(bytes, memos.known().bytes);
    }
}
