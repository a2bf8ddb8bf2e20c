//! What this program is made of and runs on, for bug reports. Nothing of it comes from anybody's configuration.

use std::{env::consts, fs, path::Path, thread};

use crate::{store::sqlite, telemetry};

/// Names and values, in the order in which they are best read.
pub fn about() -> Vec<(&'static str, String)> {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("revision", telemetry::REVISION.to_owned()),
        ("built", format!("{profile}, for {}", env!("PINFOLD_TARGET"))),
        ("store", format!("SQLite {}", sqlite::library_version())),
        ("tls", "rustls with ring".to_owned()),
        ("system", system(Path::new("/"))),
        ("processors", thread::available_parallelism().map_or_else(|_| "unknown".into(), |n| n.to_string())),
    ]
}

/// Distribution and kernel, as far as the files below `root` tell.
fn system(root: &Path) -> String {
    let read = |file: &str| fs::read_to_string(root.join(file)).unwrap_or_default();
    let release = read("etc/os-release");
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.map_or("unknown distribution", |name| name.trim_matches('"'));
    let kernel = read("proc/sys/kernel/osrelease");
    format!("{name}, {} {} {}", consts::OS, kernel.trim(), consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_told_by_its_files_and_one_without_them_too() {
        let root = tempfile::tempdir().unwrap();
        let put = |file: &str, text: &str| {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        assert!(system(root.path()).starts_with("unknown distribution, "));
        put("etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian 12\"\n");
        put("proc/sys/kernel/osrelease", "6.1.0\n");
        assert_eq!(system(root.path()), format!("Debian 12, {} 6.1.0 {}", consts::OS, consts::ARCH));
    }
}
