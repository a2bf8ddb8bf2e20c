//! Where a gateway is, by its configuration: for commands that ask a running one, and must not fail for what they do
//! not need, such as the secrets of providers.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::reader::{Field, Keys, Reader};
use super::settings::StoreUrl;
use super::value::address;
use super::{ROOT, general, yaml};

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
/// Where the file cannot be read.
pub fn whereabouts(file: &Path, environment: &Environment) -> io::Result<Whereabouts> {
    let source = fs::read_to_string(file)?;
    let (root, _) = yaml::parse(&source);
    let mut reader = Reader::new(environment, file.parent().unwrap_or(Path::new("")));
    let nothing = yaml::Value::Nothing;
    let value = root.as_ref().map_or(&nothing, |node| &node.value);
    let root = reader.open(Field { path: String::new(), spot: None, value }, ROOT);
    let admin = reader.section(&root, "admin", Keys { known: &["listen", "tls"], later: &[] });
    let listen = reader.setting(&admin, "listen");
    let mut listen = reader.parse_or(listen, general::ADMIN_LISTEN, address);
    if listen.ip().is_unspecified() {
        listen.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let (StoreUrl::Sqlite(store), _) = general::store(&mut reader, &root);
    Ok(Whereabouts { store, admin: listen, is_tls: admin.get("tls").is_some() })
}

#[cfg(test)]
mod tests {
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
}
