//! Reads `src/` and holds the modules to their arrows: each names only the modules below it that it may.

use std::{fs, path::Path};

/// Each top-level module, and those that it may name. What is not listed may not be named.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("presets", &["model"]),
    ("lifecycle", &["model"]),
    ("http", &[]),
    ("policy", &["model"]),
    ("limits", &["model"]),
    ("telemetry", &["model"]),
    // The store settles pins inside its transactions, with the pure functions of `policy`.
    ("store", &["model", "lifecycle", "telemetry", "policy"]),
    ("providers", &["model", "presets", "http", "telemetry"]),
    ("auth", &["model", "store", "limits", "telemetry"]),
    ("sim", &["model", "presets"]),
    ("engine", &["model", "policy", "lifecycle", "store", "providers", "telemetry"]),
    ("api", &["model", "policy", "store", "auth", "limits", "lifecycle", "telemetry"]),
    ("admin", &["model", "limits", "lifecycle", "store", "engine", "policy", "auth", "telemetry"]),
    ("server", &["model", "lifecycle", "telemetry"]),
    (
        "config",
        &[
            "model",
            "presets",
            "lifecycle",
            "http",
            "policy",
            "limits",
            "telemetry",
            "store",
            "providers",
            "auth",
            "sim",
            "engine",
            "api",
            "admin",
            "server",
        ],
    ),
    (
        "app",
        &[
            "model",
            "presets",
            "lifecycle",
            "http",
            "policy",
            "limits",
            "telemetry",
            "store",
            "providers",
            "auth",
            "sim",
            "engine",
            "api",
            "admin",
            "server",
            "config",
        ],
    ),
    // Settings, simulators and hashes are what commands are about; what runs is `app`'s alone.
    ("cli", &["app", "http", "config", "presets", "sim", "auth", "model"]),
];

/// Names that only files under one of these paths may use.
const KEPT: &[(&str, &[&str])] = &[
    ("rusqlite::", &["store/sqlite"]),
    ("refinery::", &["store/sqlite"]),
    ("hyper::", &["http", "sim", "server"]),
    ("hyper_util::", &["http", "sim", "server"]),
    ("hyper_rustls::", &["http", "sim", "server"]),
    ("opentelemetry::", &["telemetry"]),
    ("opentelemetry_proto::", &["telemetry"]),
    ("opentelemetry_sdk::", &["telemetry"]),
    ("prost::", &["telemetry"]),
    ("std::env", &["config"]),
];

#[test]
fn modules_name_only_what_their_arrows_allow() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    walk(&root, &root, &mut wrong);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn walk(root: &Path, folder: &Path, wrong: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        let name = path.strip_prefix(root).expect("below src").with_extension("");
        let name = name.to_str().expect("paths are UTF-8").to_owned();
        if name.split('/').any(|part| part == "tests") || name == "policy/replica/model" {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, wrong);
        } else if path.extension().is_some_and(|ext| ext == "rs") && name != "lib" && name != "main" {
            check(&name, &fs::read_to_string(&path).expect("src is readable"), wrong);
        }
    }
}

fn check(name: &str, text: &str, wrong: &mut Vec<String>) {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let code: String =
        code.lines().map(|line| line.split("//").next().unwrap_or("").to_owned() + "\n").collect();
    let module = name.split('/').next().unwrap_or(name);
    let allowed = ARROWS.iter().find(|(from, _)| *from == module).map_or(&[][..], |arrow| arrow.1);
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].lines().count().max(1);
        for to in named(&code[at + "crate::".len()..]) {
            let known = ARROWS.iter().any(|(module, _)| *module == to);
            if known && to != module && !allowed.contains(&to.as_str()) {
                wrong.push(format!("src/{name}.rs:{line}: {module} -> {to} is no arrow: pass what it needs as a value or a trait, or move it down"));
            }
        }
    }
    for (word, paths) in KEPT {
        if paths.iter().any(|path| name.starts_with(path)) {
            continue;
        }
        for (at, _) in code.match_indices(word) {
            let part =
                code[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':');
            if !part {
                let line = code[..at].lines().count().max(1);
                wrong.push(format!(
                    "src/{name}.rs:{line}: {word} is kept to {}: go through them",
                    paths.join(", ")
                ));
            }
        }
    }
}

/// The modules right after `crate::`: one, or those of a group.
fn named(rest: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    let Some(group) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let mut names = vec![word(group)];
    let mut depth = 1;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => names.push(word(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

#[test]
fn a_group_names_each_of_its_modules() {
    assert_eq!(named("{model::{A, B}, store::C};"), ["model", "store"]);
    assert_eq!(named("engine::Engine"), ["engine"]);
}

#[test]
fn an_arrow_that_is_not_allowed_is_told_with_its_place() {
    let mut wrong = Vec::new();
    check("engine/claim", "//! x\nuse crate::api::Y;\n", &mut wrong);
    assert!(wrong.len() == 1 && wrong[0].starts_with("src/engine/claim.rs:2: engine -> api"), "{wrong:?}");
}
