//! Where a gateway is, by its configuration: for commands that ask a running one, and must not fail for what they do
//! not need, such as the secrets of providers.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::problem::Problem;
use super::reader::{Field, Keys, Reader};
use super::settings::StoreUrl;
use super::value::address;
use super::{Problems, ROOT, general, source_of, yaml};

/// What can be read of a configuration even where the rest of it is wrong or not for this user's eyes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    pub store: PathBuf,
    /// As clients on this machine reach it.
    pub admin: SocketAddr,
    /// Whether that speaks TLS.
    pub is_tls: bool,
}

/// Reads no more than that.
///
/// # Errors
/// Where the file cannot be read, is no YAML or holds no keys: it may mean any place, and the defaults may be another
/// gateway's.
pub fn whereabouts(file: &Path, environment: &Environment) -> Result<Whereabouts, Problems> {
    let source = source_of(file)?;
    let (root, broken) = yaml::parse(&source);
    if !broken.is_empty() {
        return Err(unfit(file, broken));
    }
    let mut reader = Reader::new(environment, file.parent().unwrap_or(Path::new("")));
    let nothing = yaml::Value::Nothing;
    let value = root.as_ref().map_or(&nothing, |node| &node.value);
    let spot = root.as_ref().map(|node| node.spot.clone());
    let root = reader.open(Field { path: String::new(), spot, value }, ROOT);
    if let Some(no_map) = reader.problems.pop_if(|problem| problem.path.is_empty()) {
        return Err(unfit(file, vec![no_map]));
    }
    let admin = reader.section(&root, "admin", Keys { known: &["listen", "tls"], later: &[] });
    let listen = reader.setting(&admin, "listen");
    let mut listen = reader.parse_or(listen, general::ADMIN_LISTEN, address);
    if listen.ip().is_unspecified() {
        listen.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let (StoreUrl::Sqlite(store), _) = general::store(&mut reader, &root);
    Ok(Whereabouts { store, admin: listen, is_tls: admin.get("tls").is_some() })
}

fn unfit(file: &Path, list: Vec<Problem>) -> Problems {
    let (files, secret_files, covered) = (Vec::new(), Vec::new(), String::new());
    Problems { file: file.display().to_string(), list, files, secret_files, covered }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_gateway_is_found_by_a_configuration_that_cannot_be_used_here() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        let read = |text: &str| {
            fs::write(&file, text).unwrap();
            whereabouts(&file, &Environment::default()).unwrap()
        };
        let found = read(
            "admin: { listen: \"0.0.0.0:99\", tls: x }\nstore: { url: \"sqlite:a.db\" }\nproviders: [ { token_env: NO } ]\n",
        );
        assert_eq!(found.store, dir.path().join("a.db"));
        assert_eq!((found.admin.to_string().as_str(), found.is_tls), ("127.0.0.1:99", true));
        let default = read("accounts: 5\n");
        assert_eq!((default.store, default.admin.port()), (dir.path().join("pinfold.db"), 5081));
    }

    #[test]
    fn a_file_that_is_no_configuration_names_no_store_not_even_the_default() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.yaml");
        let environment = Environment::default();
        for broken in ["store: [", "store: {}\nstore: {}\n", "just words\n", "- store\n"] {
            fs::write(&file, broken).unwrap();
            let told = whereabouts(&file, &environment).unwrap_err();
            assert_eq!(
                told.to_string(),
                super::super::load(&file, &environment).unwrap_err().list[0].line(&told.file)
            );
            assert!(told.list[0].spot.is_some(), "{told}");
        }
        fs::remove_file(&file).unwrap();
        assert!(whereabouts(&file, &environment).unwrap_err().to_string().contains("cannot be read"));
    }
}
