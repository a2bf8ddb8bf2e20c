//! TLS for a health check: whom to trust, by which name, and what to show.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Unreached;
use crate::cli::{Exit, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct TlsArgs {
    /// The authority that signed the listener's certificate [default: those that this machine trusts]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The name in the listener's certificate, where the URL has another
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// A certificate to show, where the listener requires one
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

impl TlsArgs {
    /// # Errors
    /// Where a file cannot be used.
    pub(super) fn config(&self) -> Result<ClientConfig, Failure> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let unfit = |error: rustls::Error| Failure::new(Exit::Failed, format!("error: {error}"));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unfit)?
            .with_root_certificates(self.roots()?);
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let pem = read(key)?;
                let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| holds_none(key, "private key"))?;
                builder.with_client_auth_cert(certificates(cert)?, key).map_err(unfit)
            }
            _ => Ok(builder.with_no_client_auth()),
        }
    }

    fn roots(&self) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        match &self.ca_file {
            Some(file) => roots.add_parsable_certificates(certificates(file)?),
            None => roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs),
        };
        Ok(roots)
    }

    pub(super) async fn connect(
        &self,
        config: ClientConfig,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Unreached> {
        let name = self.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|_| Unreached::Address)?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(tls)
    }
}

fn tls(error: io::Error) -> Unreached {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(why) => Unreached::Tls(why.to_string()),
        None => Unreached::Io(error),
    }
}

fn certificates(file: &PathBuf) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| holds_none(file, "certificate"))
}

fn read(file: &PathBuf) -> Result<Vec<u8>, Failure> {
    let cannot =
        |error| Failure::new(Exit::Failed, format!("error: cannot read {}: {error}", file.display()));
    fs::read(file).map_err(cannot)
}

fn holds_none(file: &Path, what: &str) -> Failure {
    Failure::new(Exit::Failed, format!("error: {} holds no {what} in PEM form", file.display()))
}
