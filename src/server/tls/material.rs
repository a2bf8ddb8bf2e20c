//! The files of a listener's TLS: read whole, checked, and made into what rustls serves.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use thiserror::Error;

use super::identity;
use crate::model::{Stamp, Timestamp};

/// Chains and bundles of authorities are far smaller.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

static TLS13_ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// Where a listener's TLS comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The certificate, followed by those of the authorities between it and a root, in PEM form.
    pub cert: PathBuf,
    /// The certificate's private key, in PEM form.
    pub key: PathBuf,
    /// `None`: clients are not asked for certificates.
    pub clients: Option<Clients>,
    pub min_version: Version,
}

/// Which certificates of clients are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// The authorities that sign them, in PEM form.
    pub ca: PathBuf,
    /// Who has none is not let in at all.
    pub required: bool,
}

/// The oldest version that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Version {
    #[default]
    Tls12,
    Tls13,
}

impl Version {
    pub const ALL: [Self; 2] = [Self::Tls12, Self::Tls13];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }

    fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Tls12 => rustls::ALL_VERSIONS,
            Self::Tls13 => TLS13_ONLY,
        }
    }
}

impl Settings {
    /// The states of its files.
    pub(super) fn stamps(&self) -> Vec<Option<Stamp>> {
        let ca = self.clients.as_ref().map(|clients| &clients.ca);
        [&self.cert, &self.key].into_iter().chain(ca).map(|file| Stamp::at(file)).collect()
    }
}

/// Which file it is about; named as the config's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Cert,
    Key,
    ClientCa,
}

impl Part {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cert => "cert",
            Self::Key => "key",
            Self::ClientCa => "client_ca",
        }
    }
}

/// A file that TLS cannot be served with.
#[derive(Debug, Error)]
#[error("{} {}: {why}", .part.as_str(), .file.display())]
pub struct UnusableTls {
    pub part: Part,
    pub file: PathBuf,
    pub why: Why,
}

/// Why a file cannot be used. Nothing of what it holds is in the words.
#[derive(Debug, Error)]
pub enum Why {
    #[error("there is no such file")]
    Missing,
    #[error("it is no ordinary file, or a very long one")]
    NoFile,
    #[error("the file cannot be read ({0})")]
    Unreadable(io::ErrorKind),
    #[error("it holds no certificate in PEM form")]
    NoCertificate,
    #[error("it holds no private key in PEM form")]
    NoKey,
    #[error("its private key is encrypted")]
    EncryptedKey,
    #[error("the key is not the certificate's")]
    Mismatch,
    #[error("it cannot be used for TLS: {0}")]
    Unfit(String),
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            kind => Self::Unreadable(kind),
        }
    }
}

impl From<rustls::Error> for Why {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::Mismatch,
            other => Self::Unfit(other.to_string()),
        }
    }
}

/// What the files held when they were read: good to serve with.
#[derive(Clone)]
pub struct Material {
    settings: Settings,
    stamps: Vec<Option<Stamp>>,
    config: Arc<ServerConfig>,
    not_after: Timestamp,
}

impl Material {
    /// Reads the files. Blocks.
    ///
    /// # Errors
    /// The first of them that cannot be used.
    pub fn read(settings: Settings) -> Result<Self, UnusableTls> {
        // Before they are read: a change meanwhile is seen by the next look.
        let stamps = settings.stamps();
        let of = |part, file: &Path, why| UnusableTls { part, file: file.to_owned(), why };
        let of_cert = |why| of(Part::Cert, &settings.cert, why);
        let of_key = |why| of(Part::Key, &settings.key, why);
        let chain = certificates(&settings.cert).map_err(of_cert)?;
        let no_end = || of_cert(Why::Unfit("its end cannot be read".to_owned()));
        let not_after = identity::not_after(&chain[0]).ok_or_else(no_end)?;
        let key = key(&settings.key).map_err(of_key)?;
        let provider = Arc::new(ring::default_provider());
        let verifier = match &settings.clients {
            Some(clients) => {
                verifier(clients, &provider).map_err(|why| of(Part::ClientCa, &clients.ca, why))?
            }
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let config = config(&settings, provider, verifier, chain, key).map_err(|why| of_key(why.into()))?;
        Ok(Self { settings, stamps, config: config.into(), not_after })
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether it was read from the same files in the same state.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.settings == other.settings && self.stamps == other.stamps
    }

    pub(super) fn stamps(&self) -> &[Option<Stamp>] {
        &self.stamps
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// When the certificate expires.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn config(
    settings: &Settings,
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(settings.min_version.and_newer())?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if settings.clients.is_some() {
        // A session that is resumed shows its client's certificate without a new check: it may have expired since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

fn verifier(clients: &Clients, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, Why> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(&clients.ca)? {
        roots.add(authority)?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| Why::Unfit(error.to_string()))
}

/// At least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Why> {
    let pem = content(file)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or(Why::NoCertificate)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>, Why> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED";
    let pem = content(file)?;
    let is_encrypted = || pem.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED);
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| if is_encrypted() { Why::EncryptedKey } else { Why::NoKey })
}

fn content(file: &Path) -> Result<Vec<u8>, Why> {
    let metadata = fs::metadata(file)?;
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Err(Why::NoFile);
    }
    Ok(fs::read(file)?)
}
