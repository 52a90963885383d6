//! TLS and the token of the service, from `POINTSMAN_*`: plaintext and no token by default.

use std::env;
use std::error::Error;
use std::fs;

use tonic::Code;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// The system's roots or those of a file, and a client certificate if there is one; `None`: plaintext.
pub fn tls() -> Result<Option<ClientTlsConfig>, Box<dyn Error>> {
    let authority = file("CA");
    if authority.is_none() && env::var("POINTSMAN_TLS").as_deref() != Ok("true") {
        return Ok(None);
    }
    let mut config = match authority {
        Some(path) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(fs::read(path)?)),
        None => ClientTlsConfig::new().with_native_roots(),
    };
    if let (Some(certificate), Some(key)) = (file("CERT"), file("KEY")) {
        config = config.identity(Identity::from_pem(fs::read(certificate)?, fs::read(key)?));
    }
    Ok(Some(config))
}

/// The header with the bearer token, read before every call; `None` without a file.
pub fn authorization() -> Result<Option<MetadataValue<Ascii>>, Code> {
    let Some(path) = file("TOKEN") else {
        return Ok(None);
    };
    let token = fs::read_to_string(path).map_err(|_| Code::Unauthenticated)?;
    let value = format!("Bearer {}", token.trim());
    value.parse().map(Some).map_err(|_| Code::Unauthenticated)
}

fn file(name: &str) -> Option<String> {
    let path = env::var(format!("POINTSMAN_{name}_FILE")).ok()?;
    (!path.is_empty()).then_some(path)
}
