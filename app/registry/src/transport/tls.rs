//! Whom to trust: whom the system trusts, and the authorities that the user put into `certs.d`; of an insecure registry
//! anybody.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use rustls_platform_verifier::Verifier;

use super::certificates::Certificates;
use crate::error::RegistryError;

/// What a client says and believes.
pub(super) fn config(verify: bool, certificates: &Certificates) -> Result<ClientConfig, RegistryError> {
    let provider = Arc::new(ring::default_provider());
    let failed = |error: TlsError| unusable(&error);
    let verifier: Arc<dyn ServerCertVerifier> = if verify {
        let authorities = authorities(certificates)?;
        Arc::new(Verifier::new_with_extra_roots(authorities, Arc::clone(&provider)).map_err(failed)?)
    } else {
        Arc::new(Anybody(Arc::clone(&provider)))
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    match &certificates.client {
        None => Ok(builder.with_no_client_auth()),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
            let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unusable(&error))?;
            builder.with_client_auth_cert(chain.map_err(|error| unusable(&error))?, key).map_err(failed)
        }
    }
}

fn authorities(certificates: &Certificates) -> Result<Vec<CertificateDer<'static>>, RegistryError> {
    let pems = certificates.authorities.iter().flat_map(|pem| CertificateDer::pem_slice_iter(pem));
    pems.collect::<Result<_, _>>().map_err(|error| unusable(&error))
}

fn unusable(error: &dyn std::fmt::Display) -> RegistryError {
    RegistryError::Source(format!("a certificate cannot be used: {error}"))
}

/// Believes anybody to be who they say, and still checks that they hold the key of what they show.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
