//! A new database for a test, made once for all: its migrations take longer than most of what is tested with it.

use std::{fs, sync::LazyLock};

use super::open::open_writer;
use crate::store::contract::scratch;

/// What [`open_writer`] makes, short of the instance's id.
static NEW: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let dir = scratch();
    let path = dir.path().join("pins.db");
    let (writer, _lock) = open_writer(&path).unwrap();
    writer.execute("DELETE FROM instance", []).unwrap();
    // The last connection brings the log into the file.
    writer.close().unwrap();
    fs::read(path).unwrap()
});

/// A folder with `pins.db` in it.
pub(crate) fn founded() -> tempfile::TempDir {
    let dir = scratch();
    fs::write(dir.path().join("pins.db"), &*NEW).unwrap();
    dir
}
