//! Tells the program what it is built for and from: `pinfold version --verbose`, metric `pinfold_build_info`.
#![expect(clippy::disallowed_methods, reason = "a build script is told everything by its environment")]

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-env-changed=PINFOLD_REVISION");
    println!("cargo::rustc-env=PINFOLD_TARGET={}", env::var("TARGET").unwrap_or_default());
    let named = env::var("PINFOLD_REVISION").ok().filter(|revision| !revision.is_empty());
    if let Some(revision) = named.or_else(checked_out) {
        println!("cargo::rustc-env=PINFOLD_REVISION={revision}");
    }
}

/// The commit of a checkout of this project. Not looked for in debug builds: each commit would have all compiled anew.
fn checked_out() -> Option<String> {
    if env::var("PROFILE").as_deref() != Ok("release") {
        return None;
    }
    let root = env::var("CARGO_MANIFEST_DIR").ok()?;
    // Sources that were unpacked inside another repository are not of its commit.
    if Path::new(&git(&root, &["rev-parse", "--show-toplevel"])?) != Path::new(&root) {
        return None;
    }
    let journal = git(&root, &["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"])?;
    println!("cargo::rerun-if-changed={journal}");
    git(&root, &["rev-parse", "--short=12", "HEAD"])
}

fn git(root: &str, arguments: &[&str]) -> Option<String> {
    let answer = Command::new("git").arg("-C").arg(root).args(arguments).output().ok()?;
    let text = String::from_utf8(answer.stdout).ok()?;
    answer.status.success().then(|| text.trim().to_owned())
}
