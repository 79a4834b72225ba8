//! Whom a client believes, before a server with TLS.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::{Transport, proxies::Proxies, send};
use crate::{endpoints::Endpoint, error::RegistryError};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Answers each request with 200, with the certificate of the tests' authority.
fn server() -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_file(data("server.crt")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(data("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let (config, listener) = (Arc::new(config), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, stream);
            // A client that does not believe hangs up.
            if stream.read(&mut [0; 4096]).is_ok() {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").ok();
            }
        }
    });
    address
}

/// What a client says that asks there, with these folders of certificates.
async fn asked(address: SocketAddr, scheme: &str, verify: bool, folders: &[PathBuf]) -> Result<u16, RegistryError> {
    let (base, host) = (format!("{scheme}://{address}"), address.to_string());
    let place = Endpoint { base: base.clone(), host, verify, mirror: false };
    let client = Transport::new(Duration::from_secs(10)).client(&place, folders, &Proxies::default())?;
    send(client.usual.get(format!("{base}/v2/"))).await.map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn a_stranger_is_believed_if_the_user_vouches_for_it_or_wants_no_proof() {
    let address = server();
    let said = asked(address, "https", true, &[]).await.unwrap_err().to_string();
    let words = "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    assert_eq!(said, format!("Get \"https://{address}/v2/\": {words}"));
    assert_eq!(asked(address, "https", false, &[]).await.unwrap(), 200);
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join(address.to_string());
    fs::create_dir(&own).unwrap();
    fs::copy(data("authority.crt"), own.join("ca.crt")).unwrap();
    assert_eq!(asked(address, "https", true, &[folder.path().to_owned()]).await.unwrap(), 200);
    fs::write(own.join("ca.crt"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    let said = asked(address, "https", true, &[folder.path().to_owned()]).await.unwrap_err().to_string();
    assert!(said.contains("a certificate cannot be used"), "{said}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").ok();
        }
    });
    let said = asked(address, "https", true, &[]).await.unwrap_err().to_string();
    assert_eq!(said, format!("Get \"https://{address}/v2/\": http: server gave HTTP response to HTTPS client"));
}
