//! A listener's TLS: its files are read and checked here as they are when it starts.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::problem::Problem;
use super::reader::{Keys, Reader, Section, Seen, Wrong};
use super::secret::{locate, put_aside};
use super::value::{boolean, one_of};
use crate::server::tls::{Clients, Material, Part, Settings, Version, Why};

const TLS: Keys =
    Keys { known: &["cert", "key", "client_ca", "require_client_cert", "min_version"], later: &[] };

/// What a listener's section says under `tls`; `None` where it says nothing that could be used.
pub(super) fn read(reader: &mut Reader<'_>, listener: &Section<'_>) -> Option<Settings> {
    let section = reader.open(listener.get("tls")?, TLS);
    let cert = file(reader, &section, "cert", "the certificate and those between it and a root, in PEM form");
    let key = file(reader, &section, "key", "the certificate's private key, in PEM form");
    let clients = clients(reader, &section);
    let text = reader.optional(&section, "min_version");
    let min_version = reader.parse_or(text, Version::default(), version);
    let settings = Settings { cert: cert?, key: key?, clients: clients?, min_version };
    let ca = settings.clients.as_ref().map(|clients| &clients.ca);
    let files: Vec<_> =
        [&settings.cert, &settings.key].into_iter().chain(ca).map(|file| Seen::now(file)).collect();
    if let Err(error) = Material::read(settings.clone()) {
        // Those that can be used are followed where they are used.
        reader.files.extend(files);
        let key = error.part.as_str();
        let spot = section.get(key).and_then(|field| field.spot);
        let is_hidden = matches!(error.why, Why::Unreadable(io::ErrorKind::PermissionDenied));
        let problem = Problem::new(section.path_of(key), spot, error.why.to_string());
        put_aside(reader, problem.help(help(&error.why, error.part)), is_hidden);
    }
    reader.secret_files.push(settings.key.clone());
    warn_of_open_key(reader, &section, &settings.key);
    Some(settings)
}

fn file(reader: &mut Reader<'_>, section: &Section<'_>, key: &str, what: &str) -> Option<PathBuf> {
    let text = reader.required(section, key, &format!("write {key}: and the file with {what}"))?;
    Some(locate(reader.environment, reader.folder, &text.text))
}

/// `None` where what is said cannot be used.
fn clients(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Option<Clients>> {
    let text = reader.optional(section, "require_client_cert");
    let required = reader.parse_or(text, false, boolean);
    let ca = reader.optional(section, "client_ca");
    match ca {
        Some(ca) => {
            let ca = locate(reader.environment, reader.folder, &ca.text);
            Some(Some(Clients { ca, required }))
        }
        None if required => {
            let spot = section.get("require_client_cert").and_then(|field| field.spot);
            let help = "write client_ca: and the file with the authorities that sign clients' certificates";
            let what = "no client has a certificate that is known to be good";
            reader.wrong(section.path_of("require_client_cert"), spot, what, help);
            None
        }
        None => Some(None),
    }
}

fn version(text: &str) -> Result<Version, Wrong> {
    let known = Version::ALL.into_iter().find(|version| version.as_str() == text);
    known.ok_or_else(|| one_of("not a version that is spoken", text, Version::ALL.iter().map(|v| v.as_str())))
}

fn help(why: &Why, part: Part) -> &'static str {
    match (why, part) {
        (Why::Mismatch, _) => "name the key that the certificate was made for",
        (Why::EncryptedKey, _) => "decrypt it: openssl pkey -in KEY -out NEW_KEY",
        (Why::Unreadable(_), _) => "let the user that Pinfold runs as read it",
        (Why::NoCertificate | Why::NoKey | Why::NoFile | Why::Missing, Part::Key) => {
            "name a PEM file with `BEGIN PRIVATE KEY` in it, relative to this file's folder or from the root"
        }
        (Why::Unfit(_), Part::Key) => {
            "check both files: openssl x509 -text -in CERT; openssl pkey -check -in KEY"
        }
        _ => {
            "name a PEM file with `BEGIN CERTIFICATE` in it, relative to this file's folder or from the root"
        }
    }
}

/// A group may be let in on purpose, as Debian's `ssl-cert` is.
fn warn_of_open_key(reader: &mut Reader<'_>, section: &Section<'_>, key: &Path) {
    let mode = fs::metadata(key).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o007 != 0 {
        let spot = section.get("key").and_then(|field| field.spot);
        let problem =
            Problem::new(section.path_of("key"), spot, "everybody on this machine may read the key");
        reader.warnings.push(problem.help(format!("run: chmod o= {}", key.display())));
    }
}
