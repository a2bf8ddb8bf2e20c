//! Whether a file is still what it was, without reading it.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

/// Tells one state of a file from another: another file in its place, by a rename or through a link, differs too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp(pub(crate) [i128; 4]);

impl Stamp {
    pub fn of(metadata: &fs::Metadata) -> Self {
        let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self([
            metadata.ino().into(),
            metadata.size().into(),
            time(metadata.mtime(), metadata.mtime_nsec()),
            // Permissions and renames change this one.
            time(metadata.ctime(), metadata.ctime_nsec()),
        ])
    }

    /// Of the file at a path, where there is one.
    pub fn at(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().as_ref().map(Self::of)
    }
}
